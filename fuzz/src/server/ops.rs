//! The requests a client makes, by the fuzzer's choice.

use super::peer::{Manner, OpenFile, Peer};
use crate::source::Source;
use smb_proto::{
    command::Command,
    compound::Builder,
    dialect::{Cipher, Dialect, HashAlgorithm, SigningAlgorithm},
    header::{Header, HeaderFlags, Route},
    msg::*,
};

const NAMES: [&str; 8] = ["a", "b", "d", "d\\x", "", "a*", "d\\..\\a", "none\\x"];
const SHARES: [&str; 4] = ["\\\\s\\data", "\\\\s\\stream", "\\\\s\\IPC$", "\\\\s\\none"];

/// The commands that [`body`] makes.
const COMMANDS: [Command; 15] = [
    Command::CREATE,
    Command::WRITE,
    Command::READ,
    Command::CLOSE,
    Command::FLUSH,
    Command::QUERY_DIRECTORY,
    Command::QUERY_INFO,
    Command::SET_INFO,
    Command::IOCTL,
    Command::ECHO,
    Command::LOCK,
    Command::CHANGE_NOTIFY,
    Command::TREE_CONNECT,
    Command::TREE_DISCONNECT,
    Command::LOGOFF,
];

pub fn negotiate(choices: &mut Source<'_>) -> NegotiateRequest {
    let dialects = [
        Dialect::SMB_2_0_2,
        Dialect::SMB_2_1,
        Dialect::SMB_3_0,
        Dialect::SMB_3_0_2,
        Dialect::SMB_3_1_1,
        Dialect::SMB_3_1_1,
        Dialect::SMB_3_1_1,
        Dialect(0x0999),
    ];
    let ciphers = [Cipher::AES_128_GCM, Cipher::AES_256_GCM, Cipher::AES_128_CCM, Cipher::AES_256_CCM];
    let signing = [SigningAlgorithm::AES_GMAC, SigningAlgorithm::AES_CMAC, SigningAlgorithm::HMAC_SHA256];
    let dialect = choices.pick(&dialects).unwrap_or_default();
    let mut contexts =
        vec![NegotiateContext::Preauth { hashes: vec![HashAlgorithm::SHA_512], salt: vec![1; 32] }];
    contexts.extend(choices.pick(&ciphers).map(|cipher| NegotiateContext::Encryption(vec![cipher])));
    contexts.extend(choices.pick(&signing).map(|signing| NegotiateContext::Signing(vec![signing])));
    NegotiateRequest {
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: Capabilities::ENCRYPTION.with(Capabilities::LARGE_MTU),
        client_guid: [7; 16],
        dialects: vec![dialect],
        contexts,
    }
}

fn file(choices: &mut Source<'_>, files: &[OpenFile]) -> FileId {
    let which = choices.u8();
    let recent = usize::from(which >> 1) % files.len().max(1);
    match files.iter().rev().nth(recent) {
        Some(file) if which & 1 == 0 => file.file_id,
        _ => FileId::ANY,
    }
}

/// The command that is written to the frame, and its body.
fn body(choices: &mut Source<'_>, files: &[OpenFile]) -> (Command, Vec<u8>) {
    let command = choices.pick(&COMMANDS).unwrap_or(Command::ECHO);
    let mut out = Vec::new();
    macro_rules! emit {
        ($message:expr) => {
            smb_proto::codec::Message::emit(&$message, &mut out)
        };
    }
    match command {
        Command::CREATE => emit!(create(choices)),
        Command::WRITE => emit!(WriteRequest {
            offset: u64::from(choices.u8()) << (choices.u8() % 12),
            file_id: file(choices, files),
            channel: Channel::Inline,
            remaining_bytes: 0,
            flags: WriteFlags::NONE,
            data: &vec![7; usize::from(choices.u8()) << (choices.u8() % 10)],
        }),
        Command::READ => emit!(ReadRequest {
            padding: 0x50,
            flags: ReadFlags::NONE,
            length: u32::from(choices.u8()) << (choices.u8() % 10),
            offset: choices.u8().into(),
            file_id: file(choices, files),
            minimum_count: choices.u8().into(),
            channel: Channel::Inline,
            remaining_bytes: 0,
        }),
        Command::CLOSE => {
            let flags = if choices.rarely(2) { CloseFlags::POSTQUERY_ATTRIB } else { CloseFlags::NONE };
            emit!(CloseRequest { flags, file_id: file(choices, files) });
        }
        Command::FLUSH => emit!(FlushRequest { file_id: file(choices, files) }),
        Command::QUERY_DIRECTORY => emit!(QueryDirectoryRequest {
            class: smb_proto::fscc::FileInformationClass(choices.u8()),
            flags: QueryDirectoryFlags(choices.u8()),
            file_index: 0,
            file_id: file(choices, files),
            pattern: choices.pick(&["*", "a", "?", "", "<.>"]).unwrap_or_default().into(),
            output_len: choices.u16().into(),
        }),
        Command::QUERY_INFO => emit!(QueryInfoRequest {
            info_type: InfoType(choices.u8() % 6),
            class: choices.u8(),
            output_len: choices.u16().into(),
            additional_information: choices.u8().into(),
            flags: 0,
            file_id: file(choices, files),
            input: choices.blob().to_vec(),
        }),
        Command::SET_INFO => emit!(set_info(choices, files)),
        Command::IOCTL => emit!(ioctl(choices, files)),
        Command::LOCK => emit!(LockRequest {
            sequence: LockSequence { number: choices.u8() & 15, index: choices.u8().into() },
            file_id: file(choices, files),
            locks: (0..=choices.u8() % 3)
                .map(|_| LockElement {
                    offset: choices.u8().into(),
                    length: choices.u8().into(),
                    flags: LockFlags(choices.u8().into()),
                })
                .collect(),
        }),
        Command::CHANGE_NOTIFY => emit!(ChangeNotifyRequest {
            watch_tree: choices.rarely(2),
            output_len: choices.u16().into(),
            file_id: file(choices, files),
            filter: NotifyFilter(choices.u16().into()),
        }),
        Command::TREE_CONNECT => emit!(TreeConnectRequest {
            flags: TreeConnectFlags::NONE,
            path: choices.pick(&SHARES).unwrap_or_default().into(),
        }),
        Command::TREE_DISCONNECT => emit!(TreeDisconnectRequest),
        Command::LOGOFF => emit!(LogoffRequest),
        _ => emit!(EchoRequest),
    }
    (command, out)
}

fn create(choices: &mut Source<'_>) -> CreateRequest {
    const OPTIONS: [CreateOptions; 4] = [
        CreateOptions::NONE,
        CreateOptions::DIRECTORY_FILE,
        CreateOptions::NON_DIRECTORY_FILE,
        CreateOptions::DELETE_ON_CLOSE,
    ];
    const ACCESS: [Access; 5] = [
        Access::FILE_ALL,
        Access::MAXIMUM_ALLOWED,
        Access::READ_DATA,
        Access::WRITE_DATA,
        Access::READ_ATTRIBUTES,
    ];
    CreateRequest {
        oplock_level: OplockLevel(choices.u8()),
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: choices.pick(&ACCESS).unwrap_or_default(),
        file_attributes: FileAttributes::NONE,
        share_access: ShareAccess(u32::from(choices.u8() ^ 7) & 7),
        disposition: CreateDisposition(u32::from(choices.u8() ^ 3) % 7),
        options: choices.pick(&OPTIONS).unwrap_or_default(),
        name: choices.pick(&NAMES).unwrap_or_default().into(),
        contexts: Vec::new(),
    }
}

fn set_info(choices: &mut Source<'_>, files: &[OpenFile]) -> SetInfoRequest {
    const RENAME: u8 = 10;
    const END_OF_FILE: u8 = 20;
    let (class, input) = match choices.u8() % 4 {
        0 => (END_OF_FILE, u64::from(choices.u16()).to_le_bytes().to_vec()),
        1 => (13, vec![choices.u8() & 1]),
        2 => {
            let name = choices.pick(&NAMES).unwrap_or_default();
            let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let mut input = vec![choices.u8() & 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            input.extend(u32::try_from(name.len()).unwrap_or(0).to_le_bytes());
            input.extend(name);
            input.resize(input.len().max(24), 0);
            (RENAME, input)
        }
        _ => (choices.u8(), choices.blob().to_vec()),
    };
    let info_type = if choices.rarely(8) { InfoType(choices.u8()) } else { InfoType(1) };
    SetInfoRequest { info_type, class, additional_information: 0, file_id: file(choices, files), input }
}

fn ioctl(choices: &mut Source<'_>, files: &[OpenFile]) -> IoctlRequest {
    // Not VALIDATE_NEGOTIATE: a wrong one ends the connection by right.
    const CODES: [u32; 10] = [
        0x0011_c017,
        0x0014_01fc,
        0x0014_0078,
        0x0014_40f2,
        0x0014_80f2,
        0x0009_00c4,
        0x0009_80c8,
        0x0009_40cf,
        0x0006_0194,
        0x0009_8344,
    ];
    IoctlRequest {
        ctl_code: CtlCode(choices.pick(&CODES).unwrap_or_default()),
        file_id: file(choices, files),
        input: choices.blob().to_vec(),
        max_input_response: 0,
        max_output_response: choices.u16().into(),
        is_fsctl: !choices.rarely(16),
    }
}

/// A frame of one or more requests; nothing where no credits are left.
pub fn frame(peer: &mut Peer, choices: &mut Source<'_>, files: &[OpenFile]) -> Option<(Vec<u8>, Manner)> {
    let shape = choices.u8();
    let count = if shape & 7 == 7 { 2 + shape / 8 % 5 } else { 1 };
    let manner = Manner { sign: shape & 64 == 0, seal: shape & 128 != 0 };
    let mut builder = Builder::new();
    let mut signed = manner.sign || manner.seal;
    let tree = match choices.u8() {
        which if which < 240 => peer.trees.get(usize::from(which) % peer.trees.len().max(1)).copied(),
        _ => None,
    };
    let login = peer.logins.get(usize::from(choices.u8()) % peer.logins.len().max(1)).map(|login| login.id);
    let (session_id, tree_id) = tree.unwrap_or((login.unwrap_or(0), 0));
    for number in 0..count {
        let (command, body) = body(choices, files);
        // All that one seal protects belongs to its session.
        let joins = command == Command::TREE_CONNECT && !manner.seal;
        let session_id = if joins { login.unwrap_or(0) } else { session_id };
        let mut header = peer.header(command, session_id, tree_id)?;
        // An unsigned TREE_CONNECT ends a connection of 3.1.1.
        signed |= command == Command::TREE_CONNECT;
        header.credits = choices.u8().into();
        if number > 0 && shape & 32 == 0 {
            header.flags = header.flags.with(HeaderFlags::RELATED_OPERATIONS);
        }
        builder.push_raw(&header, |out| out.extend_from_slice(&body));
        let spare = peer.model.credits() > usize::from(number) + 1;
        if !spare {
            break;
        }
    }
    Some((builder.finish(), Manner { sign: signed, ..manner }))
}

/// A CANCEL of a request under way, or of none.
pub fn cancel(peer: &Peer, choices: &mut Source<'_>) -> Vec<u8> {
    let nth = usize::from(choices.u8()) % peer.model.asked.len().max(1);
    let target = peer.model.asked.iter().nth(nth);
    let mut header = Header::request(Command::CANCEL, target.map_or(choices.u64(), |(id, _)| *id));
    header.session_id = target.map_or(0, |(_, asked)| asked.session_id);
    if let Some(async_id) = target.and_then(|(_, asked)| asked.async_id) {
        header.route = Route::Async { async_id };
    }
    smb_proto::compound::single(&header, &CancelRequest)
}
