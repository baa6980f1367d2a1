//! Nanoseconds to read and to write one message, one core: `cargo bench -p smb-proto --bench messages`.
//!
//! The best of many short rounds, so that a busy machine spoils few. A message is read from its frame, header and all, to its
//! struct, and written from the struct into a buffer that is used again. READ and WRITE carry 64 KiB, which reading borrows and
//! writing copies once. The directory answer is 1,000 records of FileIdBothDirectoryInformation, each read into an entry of its own.

use smb_proto::{
    Command, Header, NtStatus, Request, Response, Route,
    codec::Message,
    compound,
    error::ParseError,
    fscc::{
        FileInformationClass,
        directory::{DirectoryEntry, DirectoryWriter, entries},
    },
    msg::{
        Access, Channel, CreateAction, CreateContext, CreateDisposition, CreateOptions, CreateRequest,
        CreateResponse, FileAttributes, FileId, FileTime, FileTimes, ImpersonationLevel, LeaseState,
        OplockLevel, QueryDirectoryResponse, ReadFlags, ReadRequest, ReadResponse, ShareAccess, WriteFlags,
        WriteRequest, WriteResponse,
        context::{
            ContextData,
            create::MAXIMAL_ACCESS,
            durable::{DurableFlags, DurableRequestV2, DurableResponseV2},
            lease::{Lease, LeaseFlags},
        },
    },
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const ROUND: Duration = Duration::from_millis(5);
const ROUNDS: u32 = 40;
const FILE: FileId = FileId { persistent: 7, volatile: 8 };
const CLASS: FileInformationClass = FileInformationClass::ID_BOTH_DIRECTORY;
static DATA: [u8; 65536] = [0xa5; 65536];
const NAMES: u32 = 1000;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Nanoseconds that one call of `work` takes.
fn best_time(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (begin, mut calls) = (Instant::now(), 0u32);
        while begin.elapsed() < ROUND {
            (0..8).for_each(|_| work());
            calls += 8;
        }
        best = best.min(begin.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    best
}

fn row(what: &str, bytes: usize, parse: f64, emit: f64) {
    println!("{what:<32}{bytes:>10}{parse:>12.0}{emit:>12.0}");
}

/// One message: `read` takes its frame apart.
fn message<'a>(
    what: &str,
    header: Header,
    body: &impl Message<'a>,
    read: impl Fn(&[u8]) -> Result<(), ParseError>,
) -> Outcome {
    let frame = compound::single(&header, body);
    read(&frame)?;
    let parse = best_time(|| _ = black_box(read(black_box(&frame))));
    let mut out = Vec::with_capacity(frame.len());
    let emit = best_time(|| {
        out.clear();
        header.emit(0, &mut out);
        black_box(body).emit(&mut out);
        black_box(&out);
    });
    row(what, frame.len(), parse, emit);
    Ok(())
}

fn request(frame: &[u8]) -> Result<(), ParseError> {
    for part in compound::parts(frame) {
        let part = part?;
        black_box(Request::parse(&part.header, &part.body)?);
    }
    Ok(())
}

fn response(frame: &[u8]) -> Result<(), ParseError> {
    for part in compound::parts(frame) {
        let part = part?;
        black_box(Response::parse(&part.header, &part.body)?);
    }
    Ok(())
}

fn directory_answer(frame: &[u8]) -> Result<(), ParseError> {
    for part in compound::parts(frame) {
        let part = part?;
        if let Response::QueryDirectory(answer) = Response::parse(&part.header, &part.body)? {
            entries(CLASS, &answer.output).try_for_each(|entry| entry.map(|entry| _ = black_box(entry)))?;
        }
    }
    Ok(())
}

fn head(command: Command) -> Header {
    Header {
        credit_charge: 1,
        credits: 64,
        session_id: 9,
        route: Route::tree(5),
        ..Header::request(command, 1234)
    }
}

fn answer(command: Command) -> Header {
    head(command).response(NtStatus::SUCCESS)
}

fn times() -> FileTimes {
    let time = FileTime::from_unix(1_700_000_000, 0);
    FileTimes { creation: time, last_access: time, last_write: time, change: time }
}

fn header() -> Outcome {
    let header = head(Command::READ);
    let mut frame = Vec::new();
    header.emit(0, &mut frame);
    Header::parse(&frame)?;
    let parse = best_time(|| _ = black_box(Header::parse(black_box(&frame))));
    let emit = best_time(|| {
        frame.clear();
        black_box(&header).emit(0, &mut frame);
        black_box(&frame);
    });
    row("header", frame.len(), parse, emit);
    Ok(())
}

fn data() -> Outcome {
    let read = ReadRequest {
        padding: 0x50,
        flags: ReadFlags::NONE,
        length: 65536,
        offset: 1 << 32,
        file_id: FILE,
        minimum_count: 0,
        channel: Channel::Inline,
        remaining_bytes: 0,
    };
    message("READ request", head(Command::READ), &read, request)?;
    message(
        "READ response, 64 KiB",
        answer(Command::READ),
        &ReadResponse { data: &DATA, remaining: 0, flags: 0 },
        response,
    )?;
    let write = WriteRequest {
        offset: 1 << 32,
        file_id: FILE,
        channel: Channel::Inline,
        remaining_bytes: 0,
        flags: WriteFlags::NONE,
        data: &DATA,
    };
    message("WRITE request, 64 KiB", head(Command::WRITE), &write, request)?;
    message("WRITE response", answer(Command::WRITE), &WriteResponse { count: 65536 }, response)
}

fn create() -> Outcome {
    let lease = Lease { lease_key: [7; 16], state: LeaseState(7), flags: LeaseFlags::NONE, v2: None };
    let durable = DurableRequestV2 { timeout: 0, flags: DurableFlags::NONE, create_guid: [9; 16] };
    let request_body = CreateRequest {
        oplock_level: OplockLevel::LEASE,
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: Access::FILE_READ,
        file_attributes: FileAttributes::NORMAL,
        share_access: ShareAccess::ALL,
        disposition: CreateDisposition::OPEN_IF,
        options: CreateOptions::NONE,
        name: "machines\\disks\\system-0001.img".into(),
        contexts: vec![durable.context(), lease.context(), CreateContext::new(MAXIMAL_ACCESS, Vec::new())],
    };
    message("CREATE request, 3 contexts", head(Command::CREATE), &request_body, request)?;
    let response_body = CreateResponse {
        oplock_level: OplockLevel::LEASE,
        flags: 0,
        action: CreateAction::OPENED,
        times: times(),
        allocation_size: 1 << 30,
        end_of_file: 1 << 30,
        file_attributes: FileAttributes::ARCHIVE,
        file_id: FILE,
        contexts: vec![
            DurableResponseV2 { timeout: 60, flags: DurableFlags::NONE }.context(),
            lease.context(),
        ],
    };
    message("CREATE response, 2 contexts", answer(Command::CREATE), &response_body, response)
}

fn directory() -> Outcome {
    let list: Vec<_> = (0..NAMES)
        .map(|number| DirectoryEntry {
            name: format!("file-{number:04}-of-a-usual-length.txt").as_str().into(),
            times: times(),
            end_of_file: number.into(),
            allocation_size: 4096,
            attributes: FileAttributes::ARCHIVE,
            file_id: number.into(),
            ..DirectoryEntry::default()
        })
        .collect();
    let written = || {
        let mut writer = DirectoryWriter::new(CLASS, 1 << 20)?;
        list.iter()
            .all(|entry| writer.push(entry))
            .then(|| QueryDirectoryResponse { output: writer.finish() })
    };
    let header = answer(Command::QUERY_DIRECTORY);
    let frame = compound::single(&header, &written().ok_or("does not fit")?);
    directory_answer(&frame)?;
    let parse = best_time(|| _ = black_box(directory_answer(black_box(&frame))));
    let emit = best_time(|| _ = black_box(written().map(|body| compound::single(&header, &body))));
    row("QUERY_DIRECTORY, 1,000 entries", frame.len(), parse, emit);
    Ok(())
}

fn main() -> Outcome {
    println!("{:<32}{:>10}{:>12}{:>12}", "ns per message", "bytes", "parse", "emit");
    header()?;
    data()?;
    create()?;
    directory()
}
