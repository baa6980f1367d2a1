//! SMB2 CREATE — [MS-SMB2] 2.2.13, 2.2.14.

use crate::{
    codec::{
        Body, Message,
        message::variable_offset,
        num::{fixed, le_u8, le_u16, le_u32, le_u64, len16, len32, pad8, structure_size},
        utf16,
    },
    command::{Command, wire_enum, wire_flags},
    error::ParseError,
    msg::{
        context::create::{self, CreateContext},
        types::{Access, FileAttributes, FileId, FileTimes},
    },
};
use bytes::BufMut;

wire_enum! {
    /// Oplock level, asked for and granted.
    OplockLevel: u8 {
        /// None.
        NONE = 0x00,
        /// Level II: shared reading.
        II = 0x01,
        /// Exclusive.
        EXCLUSIVE = 0x08,
        /// Batch.
        BATCH = 0x09,
        /// A lease, described in its create context.
        LEASE = 0xff,
    }
}

wire_enum! {
    /// ImpersonationLevel.
    ImpersonationLevel: u32 {
        /// Anonymous.
        ANONYMOUS = 0,
        /// Identification.
        IDENTIFICATION = 1,
        /// Impersonation: what clients send.
        IMPERSONATION = 2,
        /// Delegate.
        DELEGATE = 3,
    }
}

wire_flags! {
    /// ShareAccess: what others may do while this open lives.
    ShareAccess: u32 {
        /// FILE_SHARE_READ.
        READ = 0x1,
        /// FILE_SHARE_WRITE.
        WRITE = 0x2,
        /// FILE_SHARE_DELETE.
        DELETE = 0x4,
    }
}

impl ShareAccess {
    /// Others may do anything.
    pub const ALL: Self = Self(7);
}

wire_enum! {
    /// CreateDisposition: what to do where the file exists or does not.
    CreateDisposition: u32 {
        /// FILE_SUPERSEDE: replace or create.
        SUPERSEDE = 0,
        /// FILE_OPEN: open or fail.
        OPEN = 1,
        /// FILE_CREATE: create or fail.
        CREATE = 2,
        /// FILE_OPEN_IF: open or create.
        OPEN_IF = 3,
        /// FILE_OVERWRITE: empty or fail.
        OVERWRITE = 4,
        /// FILE_OVERWRITE_IF: empty or create.
        OVERWRITE_IF = 5,
    }
}

wire_flags! {
    /// CreateOptions.
    CreateOptions: u32 {
        /// FILE_DIRECTORY_FILE: must be a directory.
        DIRECTORY_FILE = 0x0000_0001,
        /// FILE_WRITE_THROUGH.
        WRITE_THROUGH = 0x0000_0002,
        /// FILE_SEQUENTIAL_ONLY.
        SEQUENTIAL_ONLY = 0x0000_0004,
        /// FILE_NO_INTERMEDIATE_BUFFERING.
        NO_INTERMEDIATE_BUFFERING = 0x0000_0008,
        /// FILE_SYNCHRONOUS_IO_ALERT.
        SYNCHRONOUS_IO_ALERT = 0x0000_0010,
        /// FILE_SYNCHRONOUS_IO_NONALERT.
        SYNCHRONOUS_IO_NONALERT = 0x0000_0020,
        /// FILE_NON_DIRECTORY_FILE: must not be a directory.
        NON_DIRECTORY_FILE = 0x0000_0040,
        /// FILE_COMPLETE_IF_OPLOCKED.
        COMPLETE_IF_OPLOCKED = 0x0000_0100,
        /// FILE_NO_EA_KNOWLEDGE.
        NO_EA_KNOWLEDGE = 0x0000_0200,
        /// FILE_OPEN_REMOTE_INSTANCE.
        OPEN_REMOTE_INSTANCE = 0x0000_0400,
        /// FILE_RANDOM_ACCESS.
        RANDOM_ACCESS = 0x0000_0800,
        /// FILE_DELETE_ON_CLOSE.
        DELETE_ON_CLOSE = 0x0000_1000,
        /// FILE_OPEN_BY_FILE_ID.
        OPEN_BY_FILE_ID = 0x0000_2000,
        /// FILE_OPEN_FOR_BACKUP_INTENT.
        OPEN_FOR_BACKUP_INTENT = 0x0000_4000,
        /// FILE_NO_COMPRESSION.
        NO_COMPRESSION = 0x0000_8000,
        /// FILE_OPEN_REQUIRING_OPLOCK.
        OPEN_REQUIRING_OPLOCK = 0x0001_0000,
        /// FILE_DISALLOW_EXCLUSIVE.
        DISALLOW_EXCLUSIVE = 0x0002_0000,
        /// FILE_RESERVE_OPFILTER.
        RESERVE_OPFILTER = 0x0010_0000,
        /// FILE_OPEN_REPARSE_POINT.
        OPEN_REPARSE_POINT = 0x0020_0000,
        /// FILE_OPEN_NO_RECALL.
        OPEN_NO_RECALL = 0x0040_0000,
        /// FILE_OPEN_FOR_FREE_SPACE_QUERY.
        OPEN_FOR_FREE_SPACE_QUERY = 0x0080_0000,
    }
}

/// SMB2 CREATE Request — [MS-SMB2] 2.2.13.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequest {
    /// The oplock asked for.
    pub oplock_level: OplockLevel,
    /// The impersonation level.
    pub impersonation_level: ImpersonationLevel,
    /// The rights asked for.
    pub desired_access: Access,
    /// Attributes of a file that is created.
    pub file_attributes: FileAttributes,
    /// What others may do meanwhile.
    pub share_access: ShareAccess,
    /// What to do where the file exists or does not.
    pub disposition: CreateDisposition,
    /// Options.
    pub options: CreateOptions,
    /// The path from the share's root, with `\` between components and none at the start; empty for the root.
    pub name: String,
    /// Contexts.
    pub contexts: Vec<CreateContext>,
}

const REQUEST_FIXED: usize = 56;
const RESPONSE_FIXED: usize = 88;

impl CreateRequest {
    /// Where the contexts begin, from the body's first byte.
    fn contexts_at(&self) -> usize {
        let end = REQUEST_FIXED + utf16::encoded_len(&self.name);
        end + pad8(end)
    }
}

impl<'a> Message<'a> for CreateRequest {
    const COMMAND: Command = Command::CREATE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "CREATE request";
        let head = (le_u16, le_u8, le_u8, le_u32, le_u64, le_u64);
        let (rest, (size, _, oplock, impersonation, _, _)) = fixed(WHAT, body.fixed(), head)?;
        structure_size(WHAT, 57, size)?;
        let tail = (le_u32, le_u32, le_u32, le_u32, le_u32, le_u16, le_u16, le_u32, le_u32);
        let (_, (access, attributes, share, disposition, options, name_at, name_len, list_at, list_len)) =
            fixed(WHAT, rest, tail)?;
        Ok(Self {
            oplock_level: OplockLevel(oplock),
            impersonation_level: ImpersonationLevel(impersonation),
            desired_access: Access(access),
            file_attributes: FileAttributes(attributes),
            share_access: ShareAccess(share),
            disposition: CreateDisposition(disposition),
            options: CreateOptions(options),
            name: utf16::decode("file name", body.slice_at("file name", name_at, name_len)?)?,
            contexts: create::parse_all(body.slice_at("create contexts", list_at, list_len)?)?,
        })
    }

    fn wire_len(&self) -> usize {
        match self.contexts.as_slice() {
            // A request has at least one byte behind its fixed part.
            [] => (REQUEST_FIXED + utf16::encoded_len(&self.name)).max(REQUEST_FIXED + 1),
            contexts => self.contexts_at() + create::all_len(contexts),
        }
    }

    fn emit(&self, out: &mut impl BufMut) {
        let name_len = utf16::encoded_len(&self.name);
        out.put_u16_le(57);
        out.put_u8(0);
        out.put_u8(self.oplock_level.0);
        out.put_u32_le(self.impersonation_level.0);
        out.put_u64_le(0);
        out.put_u64_le(0);
        out.put_u32_le(self.desired_access.0);
        out.put_u32_le(self.file_attributes.0);
        out.put_u32_le(self.share_access.0);
        out.put_u32_le(self.disposition.0);
        out.put_u32_le(self.options.0);
        out.put_u16_le(len16(variable_offset(REQUEST_FIXED)));
        out.put_u16_le(len16(name_len));
        let has_contexts = !self.contexts.is_empty();
        out.put_u32_le(if has_contexts { len32(variable_offset(self.contexts_at())) } else { 0 });
        out.put_u32_le(len32(create::all_len(&self.contexts)));
        utf16::encode(&self.name, out);
        if has_contexts {
            out.put_bytes(0, pad8(REQUEST_FIXED + name_len));
            create::emit_all(&self.contexts, out);
        } else if name_len == 0 {
            out.put_u8(0);
        }
    }
}

wire_enum! {
    /// CreateAction: what CREATE did.
    CreateAction: u32 {
        /// An existing file was replaced.
        SUPERSEDED = 0,
        /// An existing file was opened.
        OPENED = 1,
        /// A file was created.
        CREATED = 2,
        /// An existing file was emptied.
        OVERWRITTEN = 3,
    }
}

/// SMB2 CREATE Response — [MS-SMB2] 2.2.14.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateResponse {
    /// The oplock granted.
    pub oplock_level: OplockLevel,
    /// SMB2_CREATE_FLAG_REPARSEPOINT and what may follow; 3.x only.
    pub flags: u8,
    /// What was done.
    pub action: CreateAction,
    /// The file's times.
    pub times: FileTimes,
    /// Bytes the file occupies.
    pub allocation_size: u64,
    /// Bytes the file holds.
    pub end_of_file: u64,
    /// The file's attributes.
    pub file_attributes: FileAttributes,
    /// Names the open.
    pub file_id: FileId,
    /// Answers to the request's contexts.
    pub contexts: Vec<CreateContext>,
}

impl<'a> Message<'a> for CreateResponse {
    const COMMAND: Command = Command::CREATE;

    fn parse(body: &Body<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "CREATE response";
        let head = (le_u16, le_u8, le_u8, le_u32, FileTimes::parse, le_u64, le_u64);
        let (rest, (size, oplock, flags, action, times, allocation_size, end_of_file)) =
            fixed(WHAT, body.fixed(), head)?;
        structure_size(WHAT, 89, size)?;
        let (_, (attributes, _, file_id, list_at, list_len)) =
            fixed(WHAT, rest, (le_u32, le_u32, FileId::parse, le_u32, le_u32))?;
        Ok(Self {
            oplock_level: OplockLevel(oplock),
            flags,
            action: CreateAction(action),
            times,
            allocation_size,
            end_of_file,
            file_attributes: FileAttributes(attributes),
            file_id,
            contexts: create::parse_all(body.slice_at("create contexts", list_at, list_len)?)?,
        })
    }

    fn wire_len(&self) -> usize {
        RESPONSE_FIXED + create::all_len(&self.contexts)
    }

    fn emit(&self, out: &mut impl BufMut) {
        out.put_u16_le(89);
        out.put_u8(self.oplock_level.0);
        out.put_u8(self.flags);
        out.put_u32_le(self.action.0);
        self.times.emit(out);
        out.put_u64_le(self.allocation_size);
        out.put_u64_le(self.end_of_file);
        out.put_u32_le(self.file_attributes.0);
        out.put_u32_le(0);
        self.file_id.emit(out);
        let has_contexts = !self.contexts.is_empty();
        out.put_u32_le(if has_contexts { len32(variable_offset(RESPONSE_FIXED)) } else { 0 });
        out.put_u32_le(len32(create::all_len(&self.contexts)));
        create::emit_all(&self.contexts, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{Part, message_tests};
    use create::tests::contexts;
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = CreateRequest> {
        let head = any::<(u8, u32, u32, u32, u32, u32, u32)>();
        (head, "\\PC{0,20}", contexts()).prop_map(|(head, name, contexts)| CreateRequest {
            oplock_level: OplockLevel(head.0),
            impersonation_level: ImpersonationLevel(head.1),
            desired_access: Access(head.2),
            file_attributes: FileAttributes(head.3),
            share_access: ShareAccess(head.4),
            disposition: CreateDisposition(head.5),
            options: CreateOptions(head.6),
            name,
            contexts,
        })
    }

    fn response() -> impl Strategy<Value = CreateResponse> {
        let head = any::<(u8, u8, u32, [u64; 4], u64, u64, u32, u64, u64)>();
        (head, contexts()).prop_map(|(head, contexts)| CreateResponse {
            oplock_level: OplockLevel(head.0),
            flags: head.1,
            action: CreateAction(head.2),
            times: crate::msg::testing::times(head.3),
            allocation_size: head.4,
            end_of_file: head.5,
            file_attributes: FileAttributes(head.6),
            file_id: FileId { persistent: head.7, volatile: head.8 },
            contexts,
        })
    }

    fn list(contexts: &[CreateContext]) -> Vec<u8> {
        let mut wire = Vec::new();
        create::emit_all(contexts, &mut wire);
        wire
    }

    message_tests!(create_request, CreateRequest, request(), |m: &CreateRequest| vec![
        Part::new((44, 2), (46, 2), utf16::to_bytes(&m.name)),
        Part::new((48, 4), (52, 4), list(&m.contexts)),
    ]);
    message_tests!(create_response, CreateResponse, response(), |m: &CreateResponse| vec![Part::new(
        (80, 4),
        (84, 4),
        list(&m.contexts)
    )]);
}
