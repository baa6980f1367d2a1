//! The inputs of each target, and which target reads what of a message.

use smb_fuzz::messages;
use smb_proto::{
    header::Header,
    msg::{CreateContext, Request, Response},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Longer recordings teach the fuzzer no more.
const LONGEST: usize = 4096;

#[derive(Default)]
pub struct Corpora {
    inputs: BTreeMap<&'static str, BTreeSet<Vec<u8>>>,
    /// Type and class of what was asked, by set, session and MessageId.
    asked: BTreeMap<(String, u64, u64), [u8; 2]>,
}

impl Corpora {
    pub fn add(&mut self, target: &'static str, input: impl Into<Vec<u8>>) {
        let input = input.into();
        if input.len() <= LONGEST {
            self.inputs.entry(target).or_default().insert(input);
        }
    }

    pub fn write(&self, root: &Path) {
        for (target, inputs) in &self.inputs {
            let folder = root.join(target);
            fs::create_dir_all(&folder).expect("corpus");
            for (number, input) in inputs.iter().enumerate() {
                fs::write(folder.join(format!("seed-{number:04}")), input).expect("seed");
            }
            println!("{target}: {} seeds", inputs.len());
        }
    }

    pub fn frame(&mut self, set: &str, file: &str, frame: &[u8]) {
        if file.contains("-request") {
            self.add("requests", frame);
            let messages = messages::requests(frame).unwrap_or_default();
            messages.iter().for_each(|(header, body)| self.request(set, header, body));
        } else {
            self.add("responses", frame);
            let messages = messages::responses(frame).unwrap_or_default();
            messages.iter().for_each(|(header, body)| self.response(set, header, body));
        }
    }

    fn request(&mut self, set: &str, header: &Header, body: &Request<'_>) {
        let key = (set.to_owned(), header.session_id, header.message_id);
        match body {
            Request::SessionSetup(body) => self.token(0, &body.token),
            Request::Create(body) => self.contexts(&body.contexts),
            Request::QueryInfo(body) => _ = self.asked.insert(key, [body.info_type.0, body.class]),
            Request::QueryDirectory(body) => _ = self.asked.insert(key, [0x80, body.class.0]),
            Request::ChangeNotify(_) => _ = self.asked.insert(key, [0x81, 0]),
            Request::SetInfo(body) => {
                self.add("information", [&[body.info_type.0, body.class], &body.input[..]].concat());
            }
            Request::Ioctl(body) => self.control(&body.input),
            _ => {}
        }
    }

    fn response(&mut self, set: &str, header: &Header, body: &Response<'_>) {
        let asked = self.asked.get(&(set.to_owned(), header.session_id, header.message_id)).copied();
        let output = match body {
            Response::Negotiate(body) => return self.token(1, &body.token),
            Response::SessionSetup(body) => return self.token(1, &body.token),
            Response::Create(body) => return self.contexts(&body.contexts),
            Response::Ioctl(body) => return self.control(&body.output),
            Response::QueryInfo(body) => &body.output,
            Response::QueryDirectory(body) => &body.output,
            Response::ChangeNotify(body) => &body.output,
            _ => return,
        };
        match asked {
            Some([3, _]) => self.add("security", output.as_slice()),
            Some(asked) => self.add("information", [&asked, &output[..]].concat()),
            None => {}
        }
    }

    /// A SPNEGO token, and the NTLM message in it. `side` is who takes it: 0 the server, 1 the client.
    fn token(&mut self, side: u8, token: &[u8]) {
        self.add("tokens", token);
        if let Some(at) = token.windows(8).position(|window| window == b"NTLMSSP\0") {
            self.add("tokens", &token[at..]);
        }
        self.login(side, [token]);
    }

    /// Tokens as the target reads them: each behind its length.
    pub fn login<'a>(&mut self, side: u8, tokens: impl IntoIterator<Item = &'a [u8]>) {
        let series =
            tokens.into_iter().flat_map(|token| [&(token.len() as u16).to_le_bytes(), token].concat());
        self.add("login", [side].into_iter().chain(series).collect::<Vec<_>>());
    }

    /// Each context alone.
    fn contexts(&mut self, contexts: &[CreateContext]) {
        for context in contexts {
            let at = (16 + context.name.len()).next_multiple_of(8);
            let mut wire = vec![1, 0, 0, 0, 0, 16, 0];
            wire.extend((context.name.len() as u16).to_le_bytes());
            wire.extend([0, 0]);
            wire.extend((at as u16).to_le_bytes());
            wire.extend((context.data.len() as u32).to_le_bytes());
            wire.extend(&context.name);
            wire.resize(1 + at, 0);
            wire.extend(&context.data);
            self.add("contexts", wire);
        }
    }

    /// The target chooses the structure by a byte: each buffer is tried as all.
    fn control(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && bytes.len() < 300 {
            (0..smb_fuzz::control::KINDS).for_each(|kind| self.add("control", [&[kind], bytes].concat()));
        }
    }

    /// The lists of contexts in the NEGOTIATE messages so far: their number, then the list.
    pub fn negotiate_lists(&mut self) {
        let frames: Vec<_> = ["requests", "responses"]
            .iter()
            .flat_map(|target| self.inputs.get(target).into_iter().flatten())
            .filter(|frame| frame.get(12..14) == Some(&[0, 0]))
            .cloned()
            .collect();
        for frame in frames {
            // Where the offset and the number of contexts stand in a request and in a response.
            for (offset_at, count_at) in [(64 + 28, 64 + 32), (64 + 60, 64 + 6)] {
                let field = frame.get(offset_at..offset_at + 4).and_then(|field| field.try_into().ok());
                let start = field.map_or(usize::MAX, |field| u32::from_le_bytes(field) as usize);
                if let (Some(list), Some(count)) = (frame.get(start.max(100)..), frame.get(count_at)) {
                    self.add("contexts", [&[0, *count], list].concat());
                }
            }
        }
    }
}
