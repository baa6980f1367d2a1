//! Keys and signatures of an established context — [MS-NLMP] 3.4.4, 3.4.5.

use super::NegotiateFlags;
use crate::auth::{AuthError, SessionKey, secret};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher};
use zeroize::Zeroizing;

/// HMAC-MD5 over the parts, one after the other.
pub(super) fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Hmac<Md5> as KeyInit>::new(&block(key).into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The key as HMAC's own first step would pad it: to one block of MD5.
fn block(key: &[u8; 16]) -> [u8; 64] {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    block
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part));
    md5.finalize().into()
}

/// RC4 of `data` under `key`: RC4K(K, D) — [MS-NLMP] section 6.
pub(super) fn rc4<const N: usize>(key: &[u8; 16], mut data: [u8; N]) -> [u8; N] {
    // The key schedule repeats the key, so twice the key is the same key; the crate's infallible constructor
    // takes 32 bytes.
    let mut twice = Zeroizing::new([0; 32]);
    twice.iter_mut().zip(key.iter().cycle()).for_each(|(to, from)| *to = *from);
    Rc4::new((&*twice).into()).apply_keystream(&mut data);
    data
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    ClientToServer,
    ServerToClient,
}

/// SIGNKEY — [MS-NLMP] 3.4.5.2.
pub(super) fn sign_key(key: &SessionKey, direction: Direction) -> Zeroizing<[u8; 16]> {
    let magic: &[u8] = match direction {
        Direction::ClientToServer => b"session key to client-to-server signing key magic constant\0",
        Direction::ServerToClient => b"session key to server-to-client signing key magic constant\0",
    };
    Zeroizing::new(md5(&[key.as_bytes(), magic]))
}

/// SEALKEY for extended session security — [MS-NLMP] 3.4.5.3.
pub(super) fn seal_key(key: &SessionKey, flags: NegotiateFlags, direction: Direction) -> Zeroizing<[u8; 16]> {
    let magic: &[u8] = match direction {
        Direction::ClientToServer => b"session key to client-to-server sealing key magic constant\0",
        Direction::ServerToClient => b"session key to server-to-client sealing key magic constant\0",
    };
    let used = match () {
        () if flags.contains(NegotiateFlags::KEY_128) => 16,
        () if flags.contains(NegotiateFlags::KEY_56) => 7,
        () => 5,
    };
    Zeroizing::new(md5(&[key.as_bytes().get(..used).unwrap_or(key.as_bytes()), magic]))
}

/// The first NTLMSSP_MESSAGE_SIGNATURE of a direction, sequence number 0, over `message` — [MS-NLMP]
/// 2.2.2.9.2, 3.4.4.2.
pub(super) fn signature(
    key: &SessionKey,
    flags: NegotiateFlags,
    direction: Direction,
    message: &[u8],
) -> [u8; 16] {
    const SEQUENCE: [u8; 4] = [0; 4];
    let digest = hmac_md5(&sign_key(key, direction), &[&SEQUENCE, message]);
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let mut checksum = [a, b, c, d, e, f, g, h];
    if flags.contains(NegotiateFlags::KEY_EXCH) {
        checksum = rc4(&seal_key(key, flags, direction), checksum);
    }
    let [a, b, c, d, e, f, g, h] = checksum;
    [1, 0, 0, 0, a, b, c, d, e, f, g, h, 0, 0, 0, 0]
}

/// The MIC over the three messages, the third with zeros in place of the MIC — [MS-NLMP] 3.1.5.1.2.
pub(super) fn mic(
    key: &SessionKey,
    negotiate: &[u8],
    challenge: &[u8],
    authenticate: &[u8],
) -> Result<[u8; 16], AuthError> {
    const SHORT: AuthError = AuthError::Token("AUTHENTICATE message has no room for a MIC");
    let (before, rest) = authenticate.split_at_checked(super::authenticate::MIC_OFFSET).ok_or(SHORT)?;
    let (_, after) = rest.split_at_checked(16).ok_or(SHORT)?;
    Ok(hmac_md5(key.as_bytes(), &[negotiate, challenge, before, &[0; 16], after]))
}

/// Whether `found` is the signature that the peer should have made.
pub(super) fn verify_signature(
    key: &SessionKey,
    flags: NegotiateFlags,
    direction: Direction,
    message: &[u8],
    found: &[u8],
) -> bool {
    secret::same(&signature(key, flags, direction, message), found)
}
