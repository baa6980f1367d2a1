//! What is streamed: memory as a guest's looks, or a file.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

const PAGE: usize = 4096;
/// Distinct pages behind the whole stream. Each page of the stream is one of them with its number stamped in.
const DISTINCT: usize = 8192;
/// Bytes handed out at a time.
pub const CHUNK: usize = 1 << 20;

/// Where the bytes of a stream come from. Every run over the same source reads the same bytes.
#[derive(Clone)]
pub enum Source {
    /// Memory made up of zero pages, text, pointers and noise.
    Memory {
        /// The distinct pages.
        pages: std::sync::Arc<[u8]>,
        /// Bytes of the stream.
        size: u64,
    },
    /// A file.
    File(PathBuf),
}

impl Source {
    /// `size` bytes of made-up memory.
    pub fn memory(size: u64) -> Self {
        let mut pages = vec![0; DISTINCT * PAGE];
        for (index, page) in pages.chunks_exact_mut(PAGE).enumerate() {
            fill(page, index);
        }
        Self::Memory { pages: pages.into(), size }
    }

    /// The bytes of `path`.
    pub fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    /// Starts at the first byte.
    pub fn open(&self) -> io::Result<Reader> {
        Ok(match self {
            Self::Memory { pages, size } => Reader::Memory { pages: pages.clone(), left: *size, page: 0 },
            Self::File(path) => Reader::File(File::open(path)?),
        })
    }
}

/// A source being read.
pub enum Reader {
    /// Made-up memory.
    Memory {
        /// The distinct pages.
        pages: std::sync::Arc<[u8]>,
        /// Bytes not yet read.
        left: u64,
        /// The number of the next page.
        page: u64,
    },
    /// A file.
    File(File),
}

impl Reader {
    /// Fills `chunk` as far as there are bytes and returns how many there were; 0 at the end.
    pub fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory { pages, left, page } => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(chunk.len());
                for out in chunk[..len].chunks_mut(PAGE) {
                    // A fixed scramble of the page number picks the page, so that the mix never repeats in step.
                    let pick = (page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % DISTINCT as u64;
                    let from = pick as usize * PAGE;
                    out.copy_from_slice(&pages[from..from + out.len()]);
                    if pick % 5 >= 2 && out.len() >= 8 {
                        out[..8].copy_from_slice(&page.to_le_bytes());
                    }
                    *page += 1;
                }
                *left -= len as u64;
                Ok(len)
            }
            Self::File(file) => {
                let mut filled = 0;
                while filled < chunk.len() {
                    match file.read(&mut chunk[filled..])? {
                        0 => break,
                        read => filled += read,
                    }
                }
                Ok(filled)
            }
        }
    }
}

/// Two pages in five are zero, one is text, one looks like a heap of pointers, one is noise.
fn fill(page: &mut [u8], index: usize) {
    const TEXT: &[u8] = b"kernel: eth0: link up, 10 Gbit/s, full duplex; guest 4711 dirty pages: 90125; ";
    let mut state = index as u64 | 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    match index % 5 {
        0 | 1 => {}
        2 => page
            .iter_mut()
            .zip(TEXT.iter().cycle().skip(index % TEXT.len()))
            .for_each(|(to, from)| *to = *from),
        3 => page.chunks_exact_mut(8).for_each(|word| {
            word.copy_from_slice(&(0x7f3a_0000_0000 | (noise() & 0x00ff_fff8)).to_le_bytes());
        }),
        _ => page.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&noise().to_le_bytes())),
    }
}
