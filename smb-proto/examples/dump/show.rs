//! The line of a message, and trees of fields.

use super::conversation::Asked;
use smb_proto::{
    Header, HeaderFlags, Response, Role, Route,
    fscc::{FileInformationClass, FsInformationClass},
    msg::{Channel, FileId, InfoType, OplockBreakRequest, OplockBreakResponse, Request},
};
use std::fmt::{self, Debug, Write};

/// Bytes of a list that a tree shows.
const SHOWN: usize = 32;

/// What the header says: command, outcome, ids, credits, and what the message was wrapped in.
pub fn head(header: &Header, around: &[&str]) -> String {
    let mut line = match header.role {
        Role::Request { .. } => format!("{:?} request", header.command),
        Role::Response { status } => format!("{:?} response {status:?}", header.command),
    };
    // Writing to a string does not fail.
    _ = write!(line, "  mid {}", header.message_id);
    if header.session_id != 0 {
        _ = write!(line, " session {:#x}", header.session_id);
    }
    _ = match header.route {
        Route::Sync { tree_id: 0, .. } => Ok(()),
        Route::Sync { tree_id, .. } => write!(line, " tree {tree_id:#x}"),
        Route::Async { async_id } => write!(line, " async {async_id:#x}"),
    };
    _ = write!(line, " credits {}/{}", header.credit_charge, header.credits);
    if let Role::Request { channel_sequence: sequence @ 1.. } = header.role {
        _ = write!(line, " channel sequence {sequence}");
    }
    if header.flags != HeaderFlags::NONE {
        _ = write!(line, " {:?}", header.flags);
    }
    around.iter().for_each(|what| line = format!("{line} {what}"));
    line
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn class(info_type: InfoType, class: u8) -> String {
    match info_type {
        InfoType::FILE => format!("FILE {:?}", FileInformationClass(class)),
        InfoType::FILESYSTEM => format!("FILESYSTEM {:?}", FsInformationClass(class)),
        other => format!("{other:?}"),
    }
}

fn by(channel: &Channel) -> String {
    match channel {
        Channel::Inline => String::new(),
        Channel::Rdma { descriptors, invalidate } => {
            format!(
                " by RDMA, {} descriptors{}",
                descriptors.len(),
                if *invalidate { ", invalidate" } else { "" }
            )
        }
        Channel::Other { kind, .. } => format!(" by channel {kind}"),
    }
}

/// What matters most in a request. `name` names an open.
pub fn request(body: &Request<'_>, name: &dyn Fn(FileId) -> String) -> String {
    match body {
        Request::Negotiate(r) => {
            let dialects: Vec<_> = r.dialects.iter().map(ToString::to_string).collect();
            format!("dialects {}", dialects.join(" "))
        }
        Request::SessionSetup(r) => format!("{:?}, token of {} bytes", r.security_mode, r.token.len()),
        Request::TreeConnect(r) => format!("{:?}", r.path),
        Request::Create(r) => {
            format!("{:?} {:?} access {:?} options {:?}", r.name, r.disposition, r.desired_access, r.options)
        }
        Request::Close(r) => name(r.file_id),
        Request::Flush(r) => name(r.file_id),
        Request::Read(r) => {
            format!("{} bytes at {} of {}{}", r.length, r.offset, name(r.file_id), by(&r.channel))
        }
        Request::Write(r) => {
            let (len, at, by) = (r.data.len(), r.offset, by(&r.channel));
            format!("{len} bytes at {at} of {}{by}", name(r.file_id))
        }
        Request::Lock(r) => {
            let locks =
                r.locks.iter().map(|lock| format!("{:?} {}+{}", lock.flags, lock.offset, lock.length));
            format!("{} of {}", locks.collect::<Vec<_>>().join(", "), name(r.file_id))
        }
        Request::Ioctl(r) => format!("{:?}, input {} bytes, {}", r.ctl_code, r.input.len(), name(r.file_id)),
        Request::QueryDirectory(r) => format!("{:?} {:?} in {}", r.class, r.pattern, name(r.file_id)),
        Request::ChangeNotify(r) => format!("{:?} in {}", r.filter, name(r.file_id)),
        Request::QueryInfo(r) => format!("{} of {}", class(r.info_type, r.class), name(r.file_id)),
        Request::SetInfo(r) => format!("{} of {}", class(r.info_type, r.class), name(r.file_id)),
        Request::OplockBreak(OplockBreakRequest::Oplock(r)) => {
            format!("{:?} {}", r.oplock_level, name(r.file_id))
        }
        Request::OplockBreak(OplockBreakRequest::Lease(r)) => {
            format!("{:?} lease {}", r.state, hex(&r.lease_key))
        }
        _ => String::new(),
    }
}

/// What matters most in a response.
pub fn response(body: &Response<'_>, asked: Option<&Asked>) -> String {
    let of = match asked {
        Some(Asked::Create(name)) => format!("{name:?} "),
        Some(Asked::Information(info_type, number)) => format!("{}, ", class(*info_type, *number)),
        Some(Asked::Directory(class)) => format!("{class:?}, "),
        Some(Asked::Control(code)) => format!("{code:?}, "),
        Some(Asked::Changes) | None => String::new(),
    };
    match body {
        Response::Negotiate(r) => format!("dialect {}, {:?}", r.dialect, r.capabilities),
        Response::SessionSetup(r) => format!("{:?}, token of {} bytes", r.flags, r.token.len()),
        Response::TreeConnect(r) => format!("{:?}, access {:?}", r.share_type, r.maximal_access),
        Response::Create(r) => {
            let (persistent, volatile) = (r.file_id.persistent, r.file_id.volatile);
            format!("{of}{:?} {} bytes, file {persistent:x}:{volatile:x}", r.action, r.end_of_file)
        }
        Response::Read(r) => format!("{} bytes", r.data.len()),
        Response::Write(r) => format!("{} bytes", r.count),
        Response::Ioctl(r) => format!("{:?}, output {} bytes", r.ctl_code, r.output.len()),
        Response::QueryDirectory(r) => format!("{of}{} bytes", r.output.len()),
        Response::ChangeNotify(r) => format!("{} bytes", r.output.len()),
        Response::QueryInfo(r) => format!("{of}{} bytes", r.output.len()),
        Response::OplockBreak(OplockBreakResponse::Oplock(r)) => format!("{:?}", r.oplock_level),
        Response::OplockBreak(OplockBreakResponse::LeaseNotification(r)) => {
            format!("{:?} to {:?} lease {}", r.current_state, r.new_state, hex(&r.lease_key))
        }
        Response::OplockBreak(OplockBreakResponse::Lease(r)) => {
            format!("{:?} lease {}", r.state, hex(&r.lease_key))
        }
        Response::ServerNotification(r) => format!("{:?}", r.notification_type),
        Response::Error(_) => of.trim_end_matches([',', ' ']).to_owned(),
        _ => String::new(),
    }
}

/// A value as an indented tree: what `{:#?}` writes, without the punctuation, and lists of bytes on one line.
pub fn tree(value: &impl Debug) -> String {
    let mut tree = Tree::default();
    // Writing to a string does not fail.
    _ = writeln!(tree, "{value:#?}");
    tree.out
}

/// Takes the text of `{:#?}` line by line.
#[derive(Default)]
struct Tree {
    out: String,
    line: String,
    list: Option<List>,
}

/// A list that may be one of bytes: the line that opened it, and what came so far.
struct List {
    head: String,
    first: Vec<u8>,
    count: usize,
}

impl Tree {
    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let item = line.trim();
        if let Some(list) = &mut self.list {
            if let Some(byte) = item.strip_suffix(',').and_then(|number| number.parse::<u8>().ok()) {
                list.count += 1;
                if list.first.len() < SHOWN {
                    list.first.push(byte);
                }
                return;
            }
            self.end_of_list(item.starts_with(']'));
        }
        if line.ends_with('[') {
            self.list = Some(List { head: line, first: Vec::new(), count: 0 });
        } else {
            self.put(&line);
        }
    }

    fn end_of_list(&mut self, is_whole: bool) {
        let Some(list) = self.list.take() else { return };
        if list.count == 0 {
            self.put(&list.head);
            return;
        }
        let more = if list.count > list.first.len() { "…" } else { "" };
        let indent = list.head.len() - list.head.trim_start().len();
        let head = list.head.trim_end_matches(['[', '&', ' ']);
        let head = if head.is_empty() { " ".repeat(indent) } else { format!("{head} ") };
        let other = if is_whole { "" } else { ", and others" };
        _ = writeln!(self.out, "{head}{} bytes {}{more}{other}", list.count, hex(&list.first));
    }

    fn put(&mut self, line: &str) {
        let line = line.trim_end_matches([',', '{', '(', '[', ' ']);
        if !line.trim_matches(['}', ')', ']', ' ']).is_empty() {
            self.out.push_str(line);
            self.out.push('\n');
        }
    }
}

impl Write for Tree {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut pieces = text.split('\n');
        self.line.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.end_of_line();
            self.line.push_str(piece);
        }
        Ok(())
    }
}
