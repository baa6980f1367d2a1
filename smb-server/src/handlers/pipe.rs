//! Named pipes: opening, reading, and the control codes that mean them — [MS-SMB2] 3.3.5.9, 3.3.5.12, 3.3.5.15.

use crate::{
    core::{
        open::{NewOpen, Open},
        share_mode::Key,
    },
    driver::{Answer, Outcome, Request},
    entropy,
    pipe::Pipe,
};
use smb_proto::{
    msg::{
        Access, CreateAction, CreateRequest, CreateResponse, FileAttributes, FileTimes, IoctlRequest,
        OplockLevel, ReadRequest, ReadResponse, ShareAccess, fsctl::pipe::PipeWait,
    },
    status::NtStatus,
};
use std::{any::Any, sync::Arc};

/// Bytes of a pipe's buffer, as clients are told.
const BUFFER: u64 = 4096;

/// The pipe that an open is of.
pub(super) fn of(open: &Open) -> Option<&Pipe> {
    let handle: &dyn Any = open.handle.as_ref();
    handle.downcast_ref()
}

/// Opens a pipe.
pub(super) fn create(request: &Request, create: &CreateRequest) -> Outcome {
    let shared = &request.conn.shared;
    let pipe = Pipe::open(&create.name, entropy::random_id(), shared.share_list.clone())?;
    let key = Key::file(shared.pipes.number(), pipe.key());
    let claim = shared.modes.claim(key, 0, Access::NONE, ShareAccess::ALL)?;
    let tree = request.tree()?;
    let open = Arc::new(Open::new(NewOpen {
        id: entropy::random_file_id(),
        tree_id: tree.id,
        share: shared.pipes.clone(),
        granted: create.desired_access.mapped().without(Access::MAXIMUM_ALLOWED).with(PIPE_ACCESS),
        directory: false,
        delete_on_close: false,
        mode: 0,
        handle: Arc::new(pipe),
        token: request.session()?.token.clone(),
        path: vec![create.name.clone()],
        stream: None,
        claim,
        locker: shared.byte_locks.owner(key),
        watches: shared.watches.clone(),
    }));
    request.session()?.opens.vacancy()?.fill(open.clone())?;
    let response = CreateResponse {
        oplock_level: OplockLevel::NONE,
        flags: 0,
        action: CreateAction::OPENED,
        times: FileTimes::default(),
        allocation_size: BUFFER,
        end_of_file: 0,
        file_attributes: FileAttributes::NORMAL,
        file_id: open.id,
        contexts: Vec::new(),
    };
    Ok(Answer::of(&response).on(open.id))
}

/// What every open of a pipe may do, since it is of no use without.
const PIPE_ACCESS: Access = Access(Access::READ_DATA.0 | Access::WRITE_DATA.0 | Access::READ_ATTRIBUTES.0);

/// The next message, or as much of it as was asked for.
pub(super) fn read(read: &ReadRequest, open: &Open, pipe: &Pipe) -> Outcome {
    let (data, whole) = pipe.next(super::ioctl::buffer(read.length))?;
    let response = ReadResponse { data: &data, remaining: 0, flags: 0 };
    Ok(Answer::with_status(status(whole), &response).on(open.id))
}

fn status(whole: bool) -> NtStatus {
    if whole { NtStatus::SUCCESS } else { NtStatus::BUFFER_OVERFLOW }
}

/// Writes, then reads.
pub(super) fn transceive(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    let pipe = of(&open).ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    pipe.take(&ioctl.input)?;
    let (data, whole) = pipe.next(super::ioctl::buffer(ioctl.max_output_response))?;
    super::ioctl::answer_with(status(whole), ioctl, open.id, data)
}

/// Tells what could be read.
pub(super) fn peek(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let open = request.open(ioctl.file_id)?;
    let pipe = of(&open).ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    super::ioctl::answer(ioctl, open.id, pipe.peek().to_bytes())
}

/// A pipe that exists can always be opened.
pub(super) fn wait(request: &Request, ioctl: &IoctlRequest) -> Outcome {
    let wait = PipeWait::parse(&ioctl.input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if request.disk().is_some() || !Pipe::exists(&wait.name) {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    super::ioctl::answer(ioctl, ioctl.file_id, Vec::new())
}
