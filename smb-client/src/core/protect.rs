//! What protects a message: nothing, a signature, or a seal — [MS-SMB2] 3.2.4.1.1, 3.2.4.1.8, 3.2.5.1.1, 3.2.5.1.3.

use smb_proto::{
    command::Command,
    crypto::{NonceCounter, SealingKey, SigningKey},
    error::PeerViolation,
    header::{Header, HeaderFlags},
    status::NtStatus,
};

/// How one message is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    Plain,
    Signed,
    Sealed,
}

/// The keys of a session on one channel, and what they are to be used for.
#[derive(Debug)]
pub(crate) struct Security {
    pub session_id: u64,
    /// `None` for guests and the anonymous, who have no key.
    pub signing: Option<SigningKey>,
    /// Sign every request that is not sealed.
    pub sign: bool,
    /// Seal every request.
    pub seal: bool,
    /// `None` where nothing can be sealed.
    pub sealer: Option<Sealer>,
}

/// The sealing keys of a session. Its channels share the nonces.
#[derive(Debug, Clone)]
pub(crate) struct Sealer {
    pub seal: SealingKey,
    pub open: SealingKey,
    pub nonces: std::sync::Arc<NonceCounter>,
}

/// What a request asks for beyond what the session has anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Need {
    /// Sign it even where the session does not (TREE_CONNECT at 3.1.1, VALIDATE_NEGOTIATE).
    pub sign: bool,
    /// Seal it even where the session does not (a share that requires it).
    pub seal: bool,
}

impl Security {
    /// How a request with that need is protected.
    pub fn protection(&self, need: Need) -> Protection {
        if (self.seal || need.seal) && self.sealer.is_some() {
            Protection::Sealed
        } else if (self.sign || need.sign) && self.signing.is_some() {
            Protection::Signed
        } else {
            Protection::Plain
        }
    }

    /// Whether READ and WRITE may place their data: RDMA goes around signatures and seals.
    pub fn may_place(&self, need: Need) -> bool {
        self.protection(need) == Protection::Plain
    }
}

/// What the driver must do with the signature of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Verify it.
    Verify,
    /// There is nothing to verify.
    Skip,
}

/// Whether an answer is protected as its request demands. `sealed` says whether it came in a sealed frame, which
/// stands for a signature.
pub(crate) fn check_answer(
    asked: Protection,
    sealed: bool,
    has_key: bool,
    answer: &Header,
) -> Result<Check, PeerViolation> {
    if sealed {
        return Ok(Check::Skip);
    }
    if asked == Protection::Sealed && !may_be_bare(answer) {
        return Err(PeerViolation::BadSeal);
    }
    if answer.flags.contains(HeaderFlags::SIGNED) && has_key {
        // An interim answer repeats flags of its request though it is not signed.
        let interim = answer.status() == Some(NtStatus::PENDING);
        return Ok(if interim { Check::Skip } else { Check::Verify });
    }
    if asked == Protection::Signed && !may_be_bare(answer) {
        return Err(PeerViolation::Unsigned(answer.command));
    }
    Ok(Check::Skip)
}

/// Answers that a server cannot protect: interim ones ([MS-SMB2] 3.2.5.1.3), and the news that it does not know the
/// session, whose key it lacks then.
fn may_be_bare(answer: &Header) -> bool {
    match answer.status() {
        Some(NtStatus::PENDING) => true,
        Some(NtStatus::USER_SESSION_DELETED | NtStatus::NETWORK_SESSION_EXPIRED) => {
            answer.command != Command::SESSION_SETUP
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::{crypto::SealingKey, dialect::Cipher, dialect::SigningAlgorithm};

    fn security(sign: bool, seal: bool, has_cipher: bool) -> Security {
        let key = || SealingKey::new(Cipher::AES_128_GCM, &[1; 16]).unwrap();
        let sealer = Sealer { seal: key(), open: key(), nonces: NonceCounter::new([0; 4]).into() };
        Security {
            session_id: 1,
            signing: Some(SigningKey::new(SigningAlgorithm::AES_CMAC, &[2; 16]).unwrap()),
            sign,
            seal,
            sealer: has_cipher.then_some(sealer),
        }
    }

    fn answer(status: NtStatus, signed: bool) -> Header {
        let mut header = Header::request(Command::READ, 3).response(status);
        if signed {
            header.flags = header.flags | HeaderFlags::SIGNED;
        }
        header
    }

    #[test]
    fn a_seal_stands_for_a_signature() {
        let none = Need::default();
        assert_eq!(security(false, false, true).protection(none), Protection::Plain);
        assert_eq!(security(true, false, true).protection(none), Protection::Signed);
        assert_eq!(security(true, true, true).protection(none), Protection::Sealed);
        assert_eq!(
            security(false, false, true).protection(Need { sign: true, seal: false }),
            Protection::Signed
        );
        assert_eq!(
            security(true, false, true).protection(Need { sign: false, seal: true }),
            Protection::Sealed
        );
        assert!(security(false, false, true).may_place(none));
        assert!(!security(true, false, true).may_place(none));
        assert!(!security(false, false, true).may_place(Need { sign: false, seal: true }));
    }

    #[test]
    fn an_answer_is_protected_as_its_request() {
        let ok = answer(NtStatus::SUCCESS, false);
        assert_eq!(check_answer(Protection::Plain, false, true, &ok), Ok(Check::Skip));
        assert_eq!(
            check_answer(Protection::Signed, false, true, &ok),
            Err(PeerViolation::Unsigned(Command::READ))
        );
        assert_eq!(check_answer(Protection::Sealed, false, true, &ok), Err(PeerViolation::BadSeal));
        assert_eq!(check_answer(Protection::Sealed, true, true, &ok), Ok(Check::Skip));
        let signed = answer(NtStatus::SUCCESS, true);
        assert_eq!(check_answer(Protection::Signed, false, true, &signed), Ok(Check::Verify));
        assert_eq!(
            check_answer(Protection::Plain, false, true, &signed),
            Ok(Check::Verify),
            "if there, then right"
        );
        assert_eq!(check_answer(Protection::Sealed, false, true, &signed), Err(PeerViolation::BadSeal));
    }

    #[test]
    fn interim_answers_and_a_lost_session_come_bare() {
        for asked in [Protection::Signed, Protection::Sealed] {
            for status in [NtStatus::PENDING, NtStatus::USER_SESSION_DELETED] {
                assert_eq!(check_answer(asked, false, true, &answer(status, false)), Ok(Check::Skip));
            }
            assert!(check_answer(asked, false, true, &answer(NtStatus::ACCESS_DENIED, false)).is_err());
        }
    }
}
