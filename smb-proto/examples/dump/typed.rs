//! What messages carry as bytes, as the structures they are: create contexts, information, directory records, FSCTLs, tokens.

use super::{conversation::Asked, show::tree};
use smb_proto::{
    Response,
    auth::{
        NegTokenInit, NegTokenResp,
        ntlm::{Authenticate, Challenge, Negotiate},
    },
    error::ParseError,
    fscc::{
        AccessInformation, AlignmentInformation, AllInformation, AllocationInformation,
        AlternateNameInformation, AttributeTagInformation, BasicInformation, CompressionInformation,
        DispositionInformation, DispositionInformationEx, EaInformation, EndOfFileInformation,
        FileInformationClass, FsAttributeInformation, FsControlInformation, FsDeviceInformation,
        FsFullSizeInformation, FsInformationClass, FsObjectIdInformation, FsSectorSizeInformation,
        FsSizeInformation, FsVolumeInformation, IdInformation, Information, InternalInformation,
        LinkInformation, ModeInformation, NameInformation, NetworkOpenInformation, NormalizedNameInformation,
        PositionInformation, RenameInformation, RenameInformationEx, StandardInformation, StreamInformation,
        directory, ea::FullEaInformation, notify,
    },
    msg::{
        CreateContext, CtlCode, InfoType, Request,
        context::{
            ContextData,
            attributes::{AllocationSize, AppInstanceId, AppInstanceVersion, Timewarp},
            create::{MAXIMAL_ACCESS, MaximalAccessResponse, OnDiskId, QUERY_ON_DISK_ID},
            durable::{DurableReconnect, DurableReconnectV2, DurableRequestV2, DurableResponseV2},
            lease::Lease,
        },
        fsctl::{
            copychunk::{CopyChunkRequest, CopyChunkResponse},
            dfs::{ReferralRequest, ReferralResponse},
            network_interface::NetworkInterface,
            reparse::ReparsePoint,
            snapshots::SnapshotArray,
            validate_negotiate::{ValidateNegotiateRequest, ValidateNegotiateResponse},
        },
    },
};
use std::fmt::Debug;

/// The structures in a request.
pub fn request(body: &Request<'_>) -> String {
    match body {
        Request::SessionSetup(r) => token(&r.token),
        Request::Create(r) => contexts(&r.contexts, false),
        Request::Ioctl(r) => control(r.ctl_code, &r.input, false),
        Request::SetInfo(r) => information(r.info_type, r.class, &r.input),
        _ => String::new(),
    }
}

/// The structures in a response.
pub fn response(body: &Response<'_>, asked: Option<&Asked>) -> String {
    match (body, asked) {
        (Response::SessionSetup(r), _) => token(&r.token),
        (Response::Create(r), _) => contexts(&r.contexts, true),
        (Response::Ioctl(r), _) => control(r.ctl_code, &r.output, true),
        (Response::QueryInfo(r), Some(Asked::Information(info_type, class))) => {
            information(*info_type, *class, &r.output)
        }
        (Response::QueryDirectory(r), Some(Asked::Directory(class))) => {
            list(directory::entries(*class, &r.output))
        }
        (Response::ChangeNotify(r), Some(Asked::Changes)) => list(notify::records(&r.output)),
        _ => String::new(),
    }
}

/// A structure's tree, or why there is none.
fn shown<T: Debug, E: std::fmt::Display>(parsed: Result<T, E>) -> String {
    match parsed {
        Ok(value) => tree(&value),
        Err(error) => format!("! {error}\n"),
    }
}

fn list<T: Debug>(items: impl Iterator<Item = Result<T, ParseError>>) -> String {
    items.map(shown).collect()
}

fn information(info_type: InfoType, class: u8, bytes: &[u8]) -> String {
    fn of<T: Information + Debug>(bytes: &[u8]) -> String {
        shown(T::parse(bytes))
    }
    use FileInformationClass as File;
    use FsInformationClass as Fs;
    let read: fn(&[u8]) -> String = match info_type {
        InfoType::FILE => match File(class) {
            File::BASIC => of::<BasicInformation>,
            File::STANDARD => of::<StandardInformation>,
            File::INTERNAL => of::<InternalInformation>,
            File::EA => of::<EaInformation>,
            File::ACCESS => of::<AccessInformation>,
            File::NAME => of::<NameInformation>,
            File::RENAME => of::<RenameInformation>,
            File::RENAME_EX => of::<RenameInformationEx>,
            File::LINK => of::<LinkInformation>,
            File::DISPOSITION => of::<DispositionInformation>,
            File::DISPOSITION_EX => of::<DispositionInformationEx>,
            File::POSITION => of::<PositionInformation>,
            File::FULL_EA => of::<FullEaInformation>,
            File::MODE => of::<ModeInformation>,
            File::ALIGNMENT => of::<AlignmentInformation>,
            File::ALL => of::<AllInformation>,
            File::ALLOCATION => of::<AllocationInformation>,
            File::END_OF_FILE => of::<EndOfFileInformation>,
            File::ALTERNATE_NAME => of::<AlternateNameInformation>,
            File::STREAM => of::<StreamInformation>,
            File::COMPRESSION => of::<CompressionInformation>,
            File::NETWORK_OPEN => of::<NetworkOpenInformation>,
            File::ATTRIBUTE_TAG => of::<AttributeTagInformation>,
            File::NORMALIZED_NAME => of::<NormalizedNameInformation>,
            File::ID => of::<IdInformation>,
            _ => return String::new(),
        },
        InfoType::FILESYSTEM => match Fs(class) {
            Fs::VOLUME => of::<FsVolumeInformation>,
            Fs::SIZE => of::<FsSizeInformation>,
            Fs::DEVICE => of::<FsDeviceInformation>,
            Fs::ATTRIBUTE => of::<FsAttributeInformation>,
            Fs::CONTROL => of::<FsControlInformation>,
            Fs::FULL_SIZE => of::<FsFullSizeInformation>,
            Fs::OBJECT_ID => of::<FsObjectIdInformation>,
            Fs::SECTOR_SIZE => of::<FsSectorSizeInformation>,
            _ => return String::new(),
        },
        _ => return String::new(),
    };
    read(bytes)
}

fn contexts(contexts: &[CreateContext], is_response: bool) -> String {
    fn of<T: ContextData + Debug>(data: &[u8]) -> String {
        shown(T::parse(data))
    }
    let text = |context: &CreateContext| {
        let read: fn(&[u8]) -> String = match (context.name.as_slice(), is_response) {
            (b"RqLs", _) => of::<Lease>,
            (b"DH2Q", false) => of::<DurableRequestV2>,
            (b"DH2Q", true) => of::<DurableResponseV2>,
            (b"DHnC", false) => of::<DurableReconnect>,
            (b"DH2C", false) => of::<DurableReconnectV2>,
            (b"TWrp", _) => of::<Timewarp>,
            (b"AlSi", _) => of::<AllocationSize>,
            (b"ExtA", _) => |data| shown(<FullEaInformation as Information>::parse(data)),
            (name, _) if name == AppInstanceId::NAME => of::<AppInstanceId>,
            (name, _) if name == AppInstanceVersion::NAME => of::<AppInstanceVersion>,
            (MAXIMAL_ACCESS, true) => |data| shown(MaximalAccessResponse::parse(data)),
            (QUERY_ON_DISK_ID, true) => |data| shown(OnDiskId::parse(data)),
            _ => return String::new(),
        };
        read(&context.data)
    };
    contexts.iter().map(text).collect()
}

fn control(code: CtlCode, bytes: &[u8], is_response: bool) -> String {
    match (code, is_response) {
        (CtlCode::VALIDATE_NEGOTIATE_INFO, false) => shown(ValidateNegotiateRequest::parse(bytes)),
        (CtlCode::VALIDATE_NEGOTIATE_INFO, true) => shown(ValidateNegotiateResponse::parse(bytes)),
        (CtlCode::QUERY_NETWORK_INTERFACE_INFO, true) => shown(NetworkInterface::parse_all(bytes)),
        (CtlCode::SRV_COPYCHUNK | CtlCode::SRV_COPYCHUNK_WRITE, false) => {
            shown(CopyChunkRequest::parse(bytes))
        }
        (CtlCode::SRV_COPYCHUNK | CtlCode::SRV_COPYCHUNK_WRITE, true) => {
            shown(CopyChunkResponse::parse(bytes))
        }
        (CtlCode::DFS_GET_REFERRALS, false) => shown(ReferralRequest::parse(bytes)),
        (CtlCode::DFS_GET_REFERRALS, true) => shown(ReferralResponse::parse(bytes)),
        (CtlCode::SRV_ENUMERATE_SNAPSHOTS, true) => shown(SnapshotArray::parse(bytes)),
        (CtlCode::GET_REPARSE_POINT, true) | (CtlCode::SET_REPARSE_POINT, false) => {
            shown(ReparsePoint::parse(bytes))
        }
        _ => String::new(),
    }
}

/// A security token: SPNEGO, and NTLM inside it.
fn token(token: &[u8]) -> String {
    if token.is_empty() {
        return String::new();
    }
    let (text, inside) = if let Ok(init) = NegTokenInit::parse(token) {
        (tree(&init), init.mech_token)
    } else if let Ok(answer) = NegTokenResp::parse(token) {
        (tree(&answer), answer.response_token)
    } else {
        (String::new(), Some(token.to_vec()))
    };
    text + &inside.map(|token| ntlm(&token)).unwrap_or_default()
}

fn ntlm(token: &[u8]) -> String {
    match token.get(8) {
        _ if !token.starts_with(b"NTLMSSP\0") => String::new(),
        Some(1) => shown(Negotiate::parse(token)),
        Some(2) => shown(Challenge::parse(token)),
        Some(3) => shown(Authenticate::parse(token)),
        _ => String::new(),
    }
}
