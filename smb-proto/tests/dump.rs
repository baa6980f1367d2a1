//! The example `dump`: on recorded messages, on captures of the Linux kernel's client and server, on every kind of link, on
//! segments out of order, and on files that are cut or broken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../examples/dump/tool.rs"]
mod tool;
#[path = "dump/wire.rs"]
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
};
use tool::{Tool, keys::Keys};
use wire::{Link, capture, segments};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn text(inputs: &[Vec<u8>], keys: &Keys, verbose: bool) -> String {
    let mut out = Vec::new();
    let mut tool = Tool::new(keys, verbose);
    inputs.iter().for_each(|input| tool.dump(input, &mut out).unwrap());
    String::from_utf8(out).unwrap()
}

fn dumped(file: &[u8], verbose: bool) -> String {
    text(&[file.to_vec()], &Keys::default(), verbose)
}

/// The files of a recording, in its order.
fn golden(set: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> =
        fs::read_dir(data("golden").join(set)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "hex"));
    files.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn sets() -> Vec<String> {
    let entries = fs::read_dir(data("golden")).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// The start of a connection: whole frames, from and to the server by turns.
fn conversation() -> Vec<(bool, Vec<u8>)> {
    let frame = |(name, hex): (String, Vec<u8>)| (name.ends_with("request"), tool::unhex(&hex).unwrap());
    golden("samba-3.1.1").into_iter().take(30).map(frame).collect()
}

#[test]
fn every_recorded_message_has_its_line() {
    let mut count = 0;
    for set in sets() {
        for (name, file) in golden(&set) {
            let text = dumped(&file, true);
            assert!(text.starts_with("#1 "), "{set}/{name}: {text}");
            // Parts keep the NextCommand of their compound.
            let is_clean = name.contains("-part-") || !text.contains('!');
            assert!(is_clean, "{set}/{name}: {text}");
            count += 1;
        }
    }
    assert!(count > 850, "{count}");
}

#[test]
fn a_conversation_reads_answers_by_their_questions() {
    let files: Vec<_> = golden("samba-3.1.1").into_iter().map(|(_, file)| file).collect();
    let short = text(&files, &Keys::default(), false);
    for line in [
        "#1 NEGOTIATE request  mid 0 credits 0/31  dialects 3.1.1\n",
        "TREE_CONNECT request  mid 3",
        "  FILE ALL, ",
        "  ID_BOTH_DIRECTORY, ",
        "#60 SMB1 NEGOTIATE request  ",
    ] {
        assert!(short.contains(line), "{line} in\n{short}");
    }
    let long = text(&files, &Keys::default(), true);
    for line in [
        "\n    DirectoryEntry\n",
        "\n    NegTokenInit\n",
        "\n    Challenge\n",
        "\n    AllInformation\n",
        "\n    CopyChunkRequest\n",
        "            salt: 32 bytes 87610759f6edeb3e5620e41128939a62d65401be92121d0e08f65dd8fe7d686a\n",
    ] {
        assert!(long.contains(line), "{line} in\n{long}");
    }
}

/// A key log line made of what smbclient said its keys were.
fn key_log(set: &str) -> String {
    let session = fs::read_to_string(data("golden").join(set).join("session.txt")).unwrap();
    let fact = |name: &str| {
        let line = session.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    let id = u64::from_str_radix(&fact("session-id "), 16).unwrap().to_le_bytes();
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "# a comment\n{id},{},{},{}\n",
        fact("session-key "),
        fact("serverout-key "),
        fact("serverin-key ")
    )
}

#[test]
fn sealed_messages_open_with_the_key_log() {
    for set in ["samba-3.0-sealed", "samba-3.1.1-aes-128-gcm", "samba-3.1.1-aes-256-ccm"] {
        let files: Vec<_> = golden(set).into_iter().map(|(_, file)| file).collect();
        let blind = text(&files, &Keys::default(), false);
        assert!(blind.contains("bytes: no key of session 0x"), "{blind}");
        let seen = text(&files, &Keys::parse(&key_log(set)).unwrap(), false);
        assert!(!seen.contains('!') && !seen.contains("no key"), "{seen}");
        assert!(seen.contains(" sealed  \"d"), "{seen}");
        let wrong = key_log(set).replace(['1', '2', '3'], "4");
        let wrong = wrong.lines().last().unwrap().split_once(',').unwrap().1;
        let wrong = format!("{},{wrong}", key_log(set).lines().last().unwrap().split_once(',').unwrap().0);
        let shut = text(&files, &Keys::parse(&wrong).unwrap(), false);
        assert!(shut.contains("do not open it") && !shut.contains(" sealed  "), "{shut}");
    }
    assert!(Keys::parse("12,34").is_err() && Keys::parse("no key log").is_err());
}

#[test]
fn compressed_messages_are_decompressed() {
    for name in ["frame-chained-lz77.hex", "frame-unchained-lznt1.hex"] {
        let text = dumped(&fs::read(data("compress").join(name)).unwrap(), false);
        assert!(
            text.contains("WRITE request  mid 7") && text.contains(" compressed  12900 bytes at 0"),
            "{text}"
        );
    }
}

#[test]
fn every_link_gives_the_same_lines() {
    let frames = conversation();
    let lines = |link| dumped(&capture(link, &segments(&frames, 1000)), false);
    let ethernet = lines(Link::Ethernet);
    assert_eq!(ethernet.lines().count(), frames.len() + 1, "{ethernet}");
    assert!(!ethernet.contains('!'), "{ethernet}");
    for link in [Link::Vlan, Link::Cooked, Link::Cooked2, Link::Loopback, Link::Raw, Link::PcapNg] {
        assert_eq!(lines(link), ethernet, "{link:?}");
    }
    assert_eq!(lines(Link::Ipv6).replace("[::1]", "127.0.0.1"), ethernet);
    assert!(lines(Link::Unknown).contains("! link type 147 is not known"));
}

/// Lines without the number of their packet.
fn without_numbers(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest)).collect()
}

#[test]
fn segments_may_be_small_repeated_and_out_of_order() {
    let frames = conversation();
    let plain = dumped(&capture(Link::Ethernet, &segments(&frames, 60000)), false);
    for size in [1, 7, 100, 1460] {
        let mut pieces = segments(&frames, size);
        let calm = dumped(&capture(Link::Raw, &pieces), false);
        assert_eq!(without_numbers(&calm), without_numbers(&plain), "pieces of {size}");
        // Behind the handshake: pairs of one direction swapped, each third piece repeated.
        for at in (2..pieces.len() - 1).step_by(2) {
            if pieces[at].from_client == pieces[at + 1].from_client {
                pieces.swap(at, at + 1);
            }
        }
        let stormy: Vec<_> = pieces
            .iter()
            .enumerate()
            .flat_map(|(n, piece)| vec![piece.clone(); 1 + usize::from(n % 3 == 0)])
            .collect();
        let stormy = dumped(&capture(Link::Raw, &stormy), false);
        assert_eq!(without_numbers(&stormy), without_numbers(&plain), "pieces of {size}, out of order");
    }
}

#[test]
fn a_gap_is_told_and_passed() {
    let frames = conversation();
    let mut pieces = segments(&frames, 60000);
    let lost = pieces.remove(8); // a whole frame
    let text = dumped(&capture(Link::Raw, &pieces), false);
    assert!(text.contains(&format!("! {} bytes are missing from the capture", lost.payload.len())), "{text}");
    let shown = text.lines().filter(|line| line.contains(" mid ")).count();
    assert_eq!(shown, frames.len() - 1, "{text}");
    // Without the beginning of the connection, the next frame is found.
    let late = segments(&frames, 60000).split_off(9);
    let text = dumped(&capture(Link::Raw, &late), false);
    assert_eq!(text.lines().filter(|line| line.contains(" mid ")).count(), frames.len() - 7, "{text}");
}

#[test]
fn the_kernel_over_tcp() {
    let text = dumped(&fs::read(data("dump/linux-tcp.pcapng")).unwrap(), true);
    for line in [
        "connection 1: 127.0.0.1:",
        "1> + QUERY_INFO request  mid 18 session 0x1 tree 0x2 credits 1/10 RELATED_OPERATIONS  FILE ALL of the file before",
        "\n        NetworkInterface\n",
        "\n    FsSectorSizeInformation\n",
        "  \"\\\\\\\\127.0.0.1\\\\test\"\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains('!'), "{text}");
}

#[test]
fn the_kernel_sealed() {
    let capture = fs::read(data("dump/linux-sealed.pcapng")).unwrap();
    let keys = Keys::parse(&fs::read_to_string(data("dump/linux-sealed.keylog")).unwrap()).unwrap();
    let text = text(&[capture], &keys, false);
    assert!(text.contains(" sealed  \"\\\\\\\\127.0.0.1\\\\test\"\n"), "{text}");
    assert!(text.lines().filter(|line| line.contains(" sealed")).count() >= 20, "{text}");
    assert!(!text.contains('!') && !text.contains("bytes: "), "{text}");
}

#[test]
fn rdma_is_named_and_skipped() {
    let text = dumped(&fs::read(data("dump/linux-iwarp.pcapng")).unwrap(), false);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("! an iWARP stream (SMB Direct, perhaps)"), "{text}");
}

#[test]
fn cut_and_broken_files_are_survived() {
    let whole = fs::read(data("dump/linux-tcp.pcapng")).unwrap();
    let old = capture(Link::Ethernet, &segments(&conversation(), 500));
    for file in [&whole, &old] {
        let all = dumped(file, false);
        for cut in (24..file.len()).step_by(173) {
            let text = dumped(&file[..cut], false);
            let lines = |text: &str| {
                text.lines().filter(|line| line.contains(" mid ")).map(str::to_owned).collect::<Vec<_>>()
            };
            assert!(lines(&all).starts_with(&lines(&text)), "cut at {cut}");
        }
        let mut state = 88172645463325252u64;
        for _ in 0..120 {
            let mut broken = file.clone();
            for _ in 0..8 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = usize::try_from(state >> 8).unwrap() % broken.len();
                broken[at] = state.to_le_bytes()[0];
            }
            let mut out = Vec::new();
            _ = Tool::new(&Keys::default(), true).dump(&broken, &mut out); // an error is fine where the head broke
        }
    }
    for nothing in [b"".as_slice(), b"zz", b"fe5", b"GET / HTTP/1.1"] {
        assert!(Tool::new(&Keys::default(), false).dump(nothing, &mut Vec::new()).is_err(), "{nothing:?}");
    }
}
