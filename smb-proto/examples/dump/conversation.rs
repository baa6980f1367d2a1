//! One connection's messages, read in order: answers by their questions, file ids by the names that were opened.

use super::{keys::Keys, show, typed};
use smb_proto::{
    Header, HeaderFlags, Response,
    compound::{self, Part},
    compress::Negotiated,
    dialect::CompressionAlgorithm,
    error::ParseError,
    frame::FrameKind,
    fscc::FileInformationClass,
    msg::{CtlCode, FileId, InfoType, Request, Smb1NegotiateRequest},
};
use std::collections::HashMap;

/// Questions and names that are kept; when there are more, all are forgotten.
const MAX_KEPT: usize = 100_000;
/// Bytes of a decompressed message.
const MAX_MESSAGE: usize = 16 << 20;

/// What a request asked for, where its answer does not say it again.
#[derive(Clone)]
pub enum Asked {
    Create(String),
    Information(InfoType, u8),
    Directory(FileInformationClass),
    Changes,
    Control(CtlCode),
}

/// What is known of a connection.
#[derive(Default)]
pub struct Conversation {
    /// By session and message.
    asked: HashMap<(u64, u64), Asked>,
    names: HashMap<FileId, String>,
}

impl Conversation {
    /// A text for each message of a frame: one line, and with `verbose` a tree below it.
    pub fn frame(&mut self, keys: &Keys, verbose: bool, frame: &[u8]) -> Vec<String> {
        self.unwrap(keys, verbose, frame, &mut Vec::new())
    }

    /// `around` is what was taken off already; each may be there once, as the specification has it.
    fn unwrap(
        &mut self,
        keys: &Keys,
        verbose: bool,
        frame: &[u8],
        around: &mut Vec<&'static str>,
    ) -> Vec<String> {
        let (what, inside) = match FrameKind::of(frame) {
            Some(FrameKind::Smb2) => return self.messages(verbose, frame, around),
            Some(FrameKind::Smb1) => return vec![smb1(frame)],
            Some(FrameKind::Sealed) if around.is_empty() => ("sealed", keys.open(frame)),
            Some(FrameKind::Compressed) if !around.contains(&"compressed") => {
                ("compressed", decompress(frame))
            }
            _ => return vec![format!("! {} bytes that are no message", frame.len())],
        };
        around.push(what);
        match inside {
            Ok(inside) => self.unwrap(keys, verbose, &inside, around),
            Err(error) => vec![format!("{what}, {} bytes: {error}", frame.len())],
        }
    }

    fn messages(&mut self, verbose: bool, frame: &[u8], around: &[&str]) -> Vec<String> {
        let mut texts = Vec::new();
        for (index, part) in compound::parts(frame).enumerate() {
            let text = match part {
                Ok(part) => self.message(verbose, &part, around),
                Err(error) => format!("! {error}"),
            };
            texts.push(if index == 0 { text } else { format!("+ {text}") });
        }
        texts
    }

    fn message(&mut self, verbose: bool, part: &Part<'_>, around: &[&str]) -> String {
        let header = &part.header;
        let parsed = match header.status() {
            None => Request::parse(header, &part.body).map(|body| self.request(verbose, header, &body)),
            Some(_) => Response::parse(header, &part.body).map(|body| self.response(verbose, header, &body)),
        };
        let (summary, tree) =
            parsed.unwrap_or_else(|error: ParseError| (format!("! {error}"), String::new()));
        let mut text = show::head(header, around);
        if !summary.is_empty() {
            text += "  ";
            text += &summary;
        }
        if verbose {
            text += "\n";
            text += &show::tree(header);
            text += &tree;
        }
        text
    }

    fn request(&mut self, verbose: bool, header: &Header, body: &Request<'_>) -> (String, String) {
        if let Some(asked) = question(body) {
            if self.asked.len() >= MAX_KEPT {
                self.asked.clear();
            }
            self.asked.insert((header.session_id, header.message_id), asked);
        }
        let tree = if verbose { show::tree(body) + &typed::request(body) } else { String::new() };
        let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        (show::request(body, &|id| self.name(id, related)), tree)
    }

    fn response(&mut self, verbose: bool, header: &Header, body: &Response<'_>) -> (String, String) {
        let asked = self.asked.get(&(header.session_id, header.message_id)).cloned();
        if let (Response::Create(opened), Some(Asked::Create(name))) = (body, &asked) {
            if self.names.len() >= MAX_KEPT {
                self.names.clear();
            }
            self.names.insert(opened.file_id, name.clone());
        }
        let tree =
            if verbose { show::tree(body) + &typed::response(body, asked.as_ref()) } else { String::new() };
        (show::response(body, asked.as_ref()), tree)
    }

    fn name(&self, id: FileId, related: bool) -> String {
        const PREVIOUS: FileId = FileId { persistent: u64::MAX, volatile: u64::MAX };
        match self.names.get(&id) {
            Some(name) => format!("{name:?}"),
            None if id == PREVIOUS && related => "the file before".to_owned(),
            None if id == PREVIOUS => "no file".to_owned(),
            None => format!("file {:x}:{:x}", id.persistent, id.volatile),
        }
    }
}

fn question(body: &Request<'_>) -> Option<Asked> {
    Some(match body {
        Request::Create(create) => Asked::Create(create.name.clone()),
        Request::QueryInfo(query) => Asked::Information(query.info_type, query.class),
        Request::QueryDirectory(query) => Asked::Directory(query.class),
        Request::ChangeNotify(_) => Asked::Changes,
        Request::Ioctl(control) => Asked::Control(control.ctl_code),
        _ => return None,
    })
}

fn smb1(frame: &[u8]) -> String {
    match Smb1NegotiateRequest::parse(frame) {
        Ok(request) => format!("SMB1 NEGOTIATE request  {}", request.dialects.join(", ")),
        Err(error) => format!("SMB1: ! {error}"),
    }
}

/// Whatever was negotiated: the frame says which algorithm it uses.
fn decompress(frame: &[u8]) -> Result<Vec<u8>, String> {
    let algorithms = vec![
        CompressionAlgorithm::LZNT1,
        CompressionAlgorithm::LZ77,
        CompressionAlgorithm::LZ77_HUFFMAN,
        CompressionAlgorithm::PATTERN_V1,
        CompressionAlgorithm::LZ4,
    ];
    let any = Negotiated { algorithms, chained: true };
    any.decompress(frame, MAX_MESSAGE).map_err(|error| error.to_string())
}
