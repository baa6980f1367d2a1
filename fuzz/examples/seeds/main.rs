//! Writes the seed corpora: every recorded message of `smb-proto/tests/data`, and every buffer in one, as the input of
//! the targets that read it. Called by `fuzz/seeds`.

mod corpora;

use corpora::Corpora;
use smb_proto::{
    auth::ServerAuth,
    compress::{self, Negotiated},
    crypto::seal::SealingKey,
    dialect::{Cipher, CompressionAlgorithm},
    frame::FrameKind,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("data").map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    paths
}

fn hex_files(folder: &Path) -> impl Iterator<Item = (String, String)> {
    let files =
        list(folder).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "hex"));
    files.map(|path| (name(&path), fs::read_to_string(path).expect("hex")))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn opened(set: &Path, file: &str, mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let text = fs::read_to_string(set.join("session.txt")).ok()?;
    let wanted = if file.contains("-request") { "serverin-key " } else { "serverout-key " };
    let key = unhex(text.lines().find_map(|line| line.strip_prefix(wanted))?);
    let cipher = match name(set).rsplit_once("aes-").map_or("128-ccm", |(_, cipher)| cipher) {
        "128-gcm" => Cipher::AES_128_GCM,
        "256-ccm" => Cipher::AES_256_CCM,
        "256-gcm" => Cipher::AES_256_GCM,
        _ => Cipher::AES_128_CCM,
    };
    let range = SealingKey::new(cipher, &key).ok()?.open(&mut frame).ok()?;
    Some(frame.get(range)?.to_vec())
}

fn golden(corpora: &mut Corpora, root: &Path) {
    for set in list(root).iter().filter(|path| path.is_dir()) {
        for (file, text) in hex_files(set) {
            let frame = unhex(&text);
            if FrameKind::of(&frame) != Some(FrameKind::Sealed) {
                corpora.frame(&name(set), &file, &frame);
                continue;
            }
            corpora.add("sealed", [&[0], &frame[..]].concat());
            if let Some(frame) = opened(set, &file, frame) {
                corpora.frame(&name(set), &file, &frame);
            }
        }
    }
}

/// Recorded exchanges: every other token is the client's.
fn exchanges(corpora: &mut Corpora, folder: &Path) {
    for (_, text) in hex_files(folder) {
        let tokens: Vec<_> = text.lines().map(unhex).collect();
        tokens.iter().for_each(|token| corpora.add("tokens", token.as_slice()));
        corpora.login(0, tokens.iter().step_by(2).map(Vec::as_slice));
        let hint = ServerAuth::initial_token();
        let answers = tokens.iter().skip(1).step_by(2).map(Vec::as_slice);
        corpora.login(1, [hint.as_slice()].into_iter().chain(answers));
    }
}

fn compressed(corpora: &mut Corpora, folder: &Path) {
    for (file, text) in hex_files(folder) {
        let bytes = unhex(&text);
        if file.starts_with("frame") {
            corpora.add("compressed", [&[0], &bytes[..]].concat());
        } else {
            (0..4).for_each(|which| corpora.add("compressed", [&[1, which, 0, 8], &bytes[..]].concat()));
        }
    }
    let text = b"aaaaaaaaaaaaaaaaaaaaaaaabcabcabcabcabc the same again, the same again; the end.".repeat(4);
    for (which, algorithm) in (0u8..).zip(smb_fuzz::compressed::ALONE) {
        let packed = compress::compress(algorithm, &text).expect("shrinks");
        corpora.add("compressed", [&[1, which], &(text.len() as u16).to_le_bytes()[..], &packed].concat());
        for chained in [false, true] {
            let message = [&[7; 80][..], &text, &[0; 99]].concat();
            let algorithms = vec![algorithm, CompressionAlgorithm::PATTERN_V1];
            let frame = Negotiated { algorithms, chained }.compress(&message, 64).expect("shrinks");
            corpora.add("compressed", [&[0], &frame[..]].concat());
        }
    }
}

/// Recorded exchanges over the srvsvc pipe: each fragment, each call, each side as a whole.
fn rpc(corpora: &mut Corpora, folder: &Path) {
    for (_, text) in hex_files(folder) {
        let side = |mark| {
            text.lines().filter_map(move |line| line.strip_prefix(mark)).map(unhex).collect::<Vec<_>>()
        };
        let (client, server) = (side("> "), side("< "));
        for fragment in client.iter().chain(&server) {
            corpora.add("rpc", [&[0], &fragment[..]].concat());
            let stub = fragment.get(24..).unwrap_or_default();
            (1..5).for_each(|kind| corpora.add("rpc", [&[kind], stub].concat()));
        }
        corpora.add("rpc", [&[5], &client.concat()[..]].concat());
        server.iter().for_each(|fragment| corpora.add("rpc", [&[6], &fragment[..]].concat()));
    }
}

/// What no recording has: one of each kind, a few operations.
fn by_hand(corpora: &mut Corpora) {
    // More CHANGE_NOTIFYs than may wait.
    let notifies = "1f0000000b00ff0000ff0f08".repeat(8);
    let notifies = format!("00000004000001000008001f0000000c00081f0000000000000000010208{notifies}");
    let mut add = |target, text: &str| corpora.add(target, unhex(text));
    add("server_operations", &notifies);
    add("smb_direct", "0001 0001 0000 ff00 00000200 00200000 00001000");
    add("smb_direct", "0001 0001 0001 0000 ff00 ff00 00000000 00001000 00200000 00200000 00001000");
    add("smb_direct", "ff00 0100 0100 0000 00000000 18000000 04000000 00000000 fe534d42");
    add("credit_windows", "00 4040 000100 010000 020000 000400 000200 010100 030000 020001 040303 050908");
    add("credit_windows", "01 0700 020000 060000 000900 000000 0e0000 010000 0c0900");
    add(
        "server_operations",
        "00000004000001000008001f0000000c00081f0700000000000000000008010000011400081f8000000000000000000108",
    );
    add(
        "server_operations",
        "00000004000001000008001f0000000c00081f00000000000000000000081f00000001000000c800081f000000026400000000081f00000005250100000001081f00000003000008",
    );
    add(
        "server_operations",
        "03000004000001000008001f8000000c00081f80000000000000000000081f400000000000000000000802000800",
    );
    add(
        "server_operations",
        "00000004000001000008001f0000000c01081f00000000000000000000081f000000011009006400080400000007021f0000000100000064050804000000",
    );
    add(
        "client_operations",
        "000200000c03040506070001000200090001000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    );
    add("client_operations", "02000101080001000200090304010000000000060500060900070309080113000000");
    add(
        "client_operations",
        "00000000060001000200090100000000000000000000000000000000000000000000000000000000000000000000000000000000",
    );
    add("engine_pair", "0405ffff0310 00 0405ffff0310 01 00c80100 80c80200 02 82 04ff 84ff 05 85 0620 070f");
    add(
        "engine_hostile",
        "00 0405ffff0310 04 01 0001 0a ff04 0004 00000200 04 03 0a 05 00 00 04 01020304 00 01ff",
    );
    add("information", "010f 10000000 80 02 0300 4142 00 78797a 0000  00000000 00 01 0000 43 00");
    add("information", "8200 08000000 02 4142 00  00000000 01 43 00");
    add(
        "information",
        "0400 00000000 0c000000 0500000000000000 0600000000000000 ffffffffffffffff 0700000000000000
        0101 000000000001 00000000",
    );
    add("information", "8400 01 00 0000 00000000 0c000000 04000000 eeeeeeee 0101 000000000001 00000000");
    add(
        "information",
        "8400 01 00 0000 14000000 00000000 00000000 00000000 0c000000 0101 000000000001 00000000",
    );
    add("security", "532d312d352d33322d353434");
    add("security", "01 00 1484 14000000 24000000 30000000 4c000000 0102000000000005 20000000 20020000
        0101000000000005 12000000 02001c0001000000 11001400 01000000 0101000000000010 00300000
        0400680003000000 001b1400 ff011f00 0101000000000003 00000000 0b033000 01000000 02000000
        07070707070707070707070707070707 0101000000000001 00000000 61727478 0a021400 000000f0 0101000000000003 01000000");
    add("information", "8300 07070707070707070707070707070707 08080808080808080808080808080808");
}

fn main() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = fuzz.join("../smb-proto/tests/data");
    let mut corpora = Corpora::default();
    golden(&mut corpora, &data.join("golden"));
    corpora.negotiate_lists();
    exchanges(&mut corpora, &data.join("auth"));
    compressed(&mut corpora, &data.join("compress"));
    rpc(&mut corpora, &data.join("rpc"));
    by_hand(&mut corpora);
    corpora.write(&fuzz.join("corpus"));
}
