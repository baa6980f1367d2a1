//! What a request needs to be sent: its charge, its flags, its header — [MS-SMB2] 3.2.4.1.

use super::{negotiate::Negotiated, protect::Protection};
use smb_proto::{
    command::Command,
    credit::{MessageIdRange, credit_charge},
    header::{Header, HeaderFlags, Role, Route},
};

/// What of a request decides its header, before it has a MessageId.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub command: Command,
    pub tree_id: u32,
    /// Bytes of payload that the request carries.
    pub sends: u32,
    /// Bytes of payload that its answer may carry.
    pub expects: u32,
    /// Continues the compound before it.
    pub related: bool,
    /// The session it names, where that is not yet the channel's (SESSION_SETUP).
    pub session_id: Option<u64>,
}

impl Shape {
    /// A request without payload to speak of.
    pub fn plain(command: Command, tree_id: u32) -> Self {
        Self { command, tree_id, sends: 0, expects: 0, related: false, session_id: None }
    }

    /// The credits it takes, which is also how many MessageIds it uses up. Without multi-credit requests: one.
    pub fn cost(&self, multi_credit: bool) -> u16 {
        if multi_credit { credit_charge(self.sends, self.expects) } else { 1 }
    }

    /// Its header.
    pub fn header(
        &self,
        ids: MessageIdRange,
        multi_credit: bool,
        session_id: u64,
        protection: Protection,
    ) -> Header {
        let mut flags = HeaderFlags::NONE;
        if self.related {
            flags = flags | HeaderFlags::RELATED_OPERATIONS;
        }
        if protection == Protection::Signed {
            flags = flags | HeaderFlags::SIGNED;
        }
        Header {
            credit_charge: if multi_credit { ids.len } else { 0 },
            role: Role::Request { channel_sequence: 0 },
            credits: ids.ask,
            flags,
            route: Route::tree(self.tree_id),
            session_id,
            ..Header::request(self.command, ids.first)
        }
    }
}

/// The header of a CANCEL. It repeats the MessageId, costs nothing and asks for nothing — [MS-SMB2] 3.2.4.24.
pub(crate) fn cancel(message_id: u64, async_id: u64, session_id: u64, protection: Protection) -> Header {
    let mut header = Header::request(Command::CANCEL, message_id);
    header.route = Route::Async { async_id };
    header.session_id = session_id;
    if protection == Protection::Signed {
        header.flags = HeaderFlags::SIGNED;
    }
    header
}

/// The most bytes one READ or WRITE may move: what was negotiated, what the credits will ever pay for, and what
/// the caller wants at most.
pub(crate) fn largest(negotiated: u32, agreed: &Negotiated, largest_charge: u16, wish: u32) -> u32 {
    let paid = if agreed.multi_credit { smb_proto::credit::max_payload(largest_charge) } else { u32::MAX };
    negotiated.min(paid).min(wish).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::negotiate::tests::{answer, offer};
    use smb_proto::dialect::Dialect;

    const IDS: MessageIdRange = MessageIdRange { first: 9, len: 16, ask: 5 };

    #[test]
    fn a_read_is_charged_by_its_answer() {
        let shape = Shape { expects: 1 << 20, ..Shape::plain(Command::READ, 4) };
        assert_eq!((shape.cost(true), shape.cost(false)), (16, 1));
        let header = shape.header(IDS, true, 77, Protection::Signed);
        assert_eq!((header.credit_charge, header.credits, header.message_id), (16, 5, 9));
        assert_eq!((header.session_id, header.tree_id()), (77, 4));
        assert!(header.flags.contains(HeaderFlags::SIGNED));
        let header = shape.header(MessageIdRange { len: 1, ..IDS }, false, 77, Protection::Sealed);
        assert_eq!(header.credit_charge, 0, "reserved before 2.1");
        assert!(!header.flags.contains(HeaderFlags::SIGNED), "the seal is the signature");
    }

    #[test]
    fn a_cancel_costs_nothing() {
        let header = cancel(9, 3, 77, Protection::Signed);
        assert_eq!((header.credit_charge, header.credits, header.message_id), (0, 0, 9));
        assert_eq!(header.route, Route::Async { async_id: 3 });
    }

    #[test]
    fn no_request_is_larger_than_the_credits_pay() {
        let agreed = offer().check(&answer(Dialect::SMB_3_1_1)).unwrap();
        assert_eq!(largest(8 << 20, &agreed, 512, u32::MAX), 8 << 20);
        assert_eq!(largest(8 << 20, &agreed, 3, u32::MAX), 3 * 65_536);
        assert_eq!(largest(8 << 20, &agreed, 512, 1 << 20), 1 << 20);
        let old = offer().check(&answer(Dialect::SMB_2_0_2)).unwrap();
        assert_eq!(largest(old.max_read, &old, 1, u32::MAX), 65_536);
    }
}
