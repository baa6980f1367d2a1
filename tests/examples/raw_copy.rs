//! The least that a copy over TCP takes: one connection, blocking calls, no protocol. What `tests/bench/compare.py` holds a
//! copy over SMB to.
//!
//! ```text
//! raw_copy serve FILE           prints its address; gives out and overwrites FILE, one connection after the other
//! raw_copy serve memory:BYTES   the same with that much memory
//! raw_copy get ADDRESS FILE     everything, to FILE
//! raw_copy put ADDRESS FILE     FILE, over what is there
//! ```
//! Each side does with each block what the SMB programs do with it: `pread` and `send`; `recv` and `pwrite`; memory is sent from,
//! and received to, where it lies. A file that is overwritten is emptied first, as by an SMB client that puts a file.

use std::{
    env,
    error::Error,
    fs::{File, OpenOptions},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::FileExt,
};

/// Bytes of a read or write: what both SMB programs move at a time on a fast link.
const BLOCK: usize = 1 << 20;
const GET: u8 = b'g';
const PUT: u8 = b'p';

type Outcome = Result<(), Box<dyn Error>>;

/// Where bytes lie.
enum Place {
    File(File),
    Memory(Vec<u8>),
}

impl Place {
    fn served(name: &str) -> Result<Self, Box<dyn Error>> {
        match name.strip_prefix("memory:") {
            // Touched, so that no page is made while it is used.
            Some(bytes) => Ok(Self::Memory(vec![1; bytes.parse()?])),
            None => Ok(Self::File(OpenOptions::new().read(true).write(true).open(name)?)),
        }
    }

    fn len(&self) -> std::io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }
}

fn main() -> Outcome {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", what] => serve(Place::served(what)?),
        ["get", address, file] => {
            let mut stream = connect(address, GET)?;
            let len = length(&mut stream)?;
            receive(&mut stream, len, &mut Place::File(OpenOptions::new().write(true).open(file)?))
        }
        ["put", address, file] => {
            let mut stream = connect(address, PUT)?;
            let place = Place::File(File::open(file)?);
            stream.write_all(&place.len()?.to_be_bytes())?;
            send(&mut stream, &place)?;
            // The other side has written all of it.
            Ok(stream.read_exact(&mut [0])?)
        }
        _ => Err("usage: raw_copy serve FILE|memory:BYTES, get ADDRESS FILE, put ADDRESS FILE".into()),
    }
}

fn connect(address: &str, wish: u8) -> Result<TcpStream, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(&[wish])?;
    Ok(stream)
}

fn serve(mut place: Place) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening {}", listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut wish = [0];
        stream.read_exact(&mut wish)?;
        if wish == [GET] {
            stream.write_all(&place.len()?.to_be_bytes())?;
            send(&mut stream, &place)?;
            continue;
        }
        let len = length(&mut stream)?;
        if let Place::File(file) = &place {
            file.set_len(0)?;
        }
        receive(&mut stream, len, &mut place)?;
        stream.write_all(&[0])?;
    }
}

fn length(stream: &mut TcpStream) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

fn send(stream: &mut TcpStream, place: &Place) -> Outcome {
    let file = match place {
        Place::Memory(bytes) => {
            return Ok(bytes.chunks(BLOCK).try_for_each(|block| stream.write_all(block))?);
        }
        Place::File(file) => file,
    };
    let (mut block, mut offset) = (vec![0; BLOCK], 0);
    loop {
        let count = file.read_at(&mut block, offset)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&block[..count])?;
        offset += count as u64;
    }
}

fn receive(stream: &mut TcpStream, len: u64, place: &mut Place) -> Outcome {
    let file = match place {
        Place::Memory(bytes) => {
            let into = bytes.get_mut(..len as usize).ok_or("more than there is memory for")?;
            return Ok(into.chunks_mut(BLOCK).try_for_each(|block| stream.read_exact(block))?);
        }
        Place::File(file) => file,
    };
    let (mut block, mut offset) = (vec![0; BLOCK], 0);
    while offset < len {
        let count = BLOCK.min((len - offset) as usize);
        stream.read_exact(&mut block[..count])?;
        // /dev/null has no positions, but takes them.
        file.write_all_at(&block[..count], offset)?;
        offset += count as u64;
    }
    Ok(())
}
