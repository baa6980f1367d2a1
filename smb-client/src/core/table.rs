//! The requests under way on one channel, and the credits they cost — [MS-SMB2] 3.2.1.5, 3.2.5.1.
//!
//! ```text
//!          begin                     answered: PENDING, async
//!   (id) ────────▶ Waiting ─────────────────────────────▶ Async(AsyncId)
//!                     │ answered                              │ answered      cancel: once, here only
//!                     ▼                                       ▼
//!                  Final(slot)                            Final(slot)
//! ```
//!
//! A slot is whatever the driver keeps with a request; the table hands it back with the final answer, or all of them
//! when the channel fails. The driver reserves just before it sends.

use super::protect::Protection;
use smb_proto::{
    command::Command,
    credit::{ClientWindow, MessageIdRange},
    error::PeerViolation,
    header::{Header, Role, Route},
    status::NtStatus,
};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// The MessageId of breaks and notifications, which answer nothing.
pub(crate) const UNSOLICITED: u64 = u64::MAX;

/// What an answer is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// The last word on a request.
    Final(T),
    /// The server goes on working on it.
    Interim,
    /// A break or a notification.
    Unsolicited,
}

#[derive(Debug)]
struct Entry<T> {
    command: Command,
    session_id: u64,
    protection: Protection,
    async_id: Option<u64>,
    cancelled: bool,
    slot: T,
}

/// Hashes MessageIds, which are ours and come one after the other: no peer can choose them.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(self.0 << 8 | u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The requests under way on one channel.
#[derive(Debug)]
pub(crate) struct Table<T> {
    window: ClientWindow,
    entries: HashMap<u64, Entry<T>, BuildHasherDefault<Spread>>,
}

impl<T> Table<T> {
    /// A fresh connection that strives for `target` credits.
    pub fn new(target: u16) -> Self {
        Self { window: ClientWindow::new(target), entries: HashMap::default() }
    }

    /// Credits that can be spent now.
    pub fn available(&self) -> u32 {
        self.window.available()
    }

    /// The most one request may be charged.
    pub fn largest_charge(&self) -> u16 {
        self.window.largest_charge()
    }

    /// Requests that wait for their final answer.
    pub fn outstanding(&self) -> usize {
        self.entries.len()
    }

    /// The credits are spent and no answer can bring any.
    pub fn is_stuck(&self) -> bool {
        self.window.is_stuck()
    }

    /// Enters a request that is about to be sent. Gives the slot back where credits are short.
    pub fn begin(
        &mut self,
        command: Command,
        cost: u16,
        session_id: u64,
        protection: Protection,
        slot: T,
    ) -> Result<MessageIdRange, T> {
        let Some(ids) = self.window.reserve(cost) else { return Err(slot) };
        let entry = Entry { command, session_id, protection, async_id: None, cancelled: false, slot };
        self.entries.insert(ids.first, entry);
        Ok(ids)
    }

    /// How the request that `answer` claims to answer was protected; the answer must be likewise. To be asked before
    /// anything the answer says is believed.
    pub fn asked(&self, answer: &Header) -> Result<Protection, PeerViolation> {
        if !matches!(answer.role, Role::Response { .. }) {
            return Err(PeerViolation::State(answer.command));
        }
        if answer.message_id == UNSOLICITED {
            return Ok(Protection::Plain);
        }
        let entry = self.entries.get(&answer.message_id);
        let entry = entry.ok_or(PeerViolation::Unsolicited(answer.message_id))?;
        if entry.command != answer.command {
            return Err(wrong(answer.command, "it answers a request of another command"));
        }
        if entry.session_id != 0 && answer.session_id != entry.session_id {
            return Err(wrong(answer.command, "it names another session"));
        }
        Ok(entry.protection)
    }

    /// Takes an answer that was found to be genuine.
    pub fn answered(&mut self, answer: &Header) -> Result<Answer<T>, PeerViolation> {
        if answer.message_id == UNSOLICITED {
            return match answer.command {
                Command::OPLOCK_BREAK | Command::SERVER_TO_CLIENT_NOTIFICATION => Ok(Answer::Unsolicited),
                _ => Err(PeerViolation::Unsolicited(UNSOLICITED)),
            };
        }
        let interim = answer.status() == Some(NtStatus::PENDING);
        let entry = self.entries.get_mut(&answer.message_id);
        let entry = entry.ok_or(PeerViolation::Unsolicited(answer.message_id))?;
        match (answer.route, entry.async_id) {
            (Route::Async { async_id }, None) if interim => entry.async_id = Some(async_id),
            (Route::Sync { .. }, _) if interim => {
                return Err(wrong(answer.command, "STATUS_PENDING without an AsyncId"));
            }
            (Route::Async { async_id }, Some(known)) if async_id != known => {
                return Err(wrong(answer.command, "its AsyncId has changed"));
            }
            _ => (),
        }
        self.window.answered(answer.message_id, answer.credits, interim)?;
        if interim {
            return Ok(Answer::Interim);
        }
        let entry = self.entries.remove(&answer.message_id);
        entry.map(|entry| Answer::Final(entry.slot)).ok_or(PeerViolation::Unsolicited(answer.message_id))
    }

    /// Whether the request waits for its final answer.
    pub fn is_waiting(&self, message_id: u64) -> bool {
        self.entries.contains_key(&message_id)
    }

    /// What is kept with a request that waits for its final answer.
    pub fn slot(&self, message_id: u64) -> Option<&T> {
        self.entries.get(&message_id).map(|entry| &entry.slot)
    }

    /// Goes through the requests that the server has said nothing about.
    pub fn for_each_sync(&mut self, mut visit: impl FnMut(Command, &mut T)) {
        for entry in self.entries.values_mut().filter(|entry| entry.async_id.is_none()) {
            visit(entry.command, &mut entry.slot);
        }
    }

    /// Whether the server has said that the request takes longer.
    #[cfg(test)]
    pub fn is_async(&self, message_id: u64) -> bool {
        self.entries.get(&message_id).is_some_and(|entry| entry.async_id.is_some())
    }

    /// Whether cancelling the request can help: the server works on it and was not told yet. `Some` at most once for
    /// each request: the AsyncId, the session and the protection of the CANCEL. What tidies up is not cancelled: nobody
    /// waits for it, and it is to be done all the same.
    pub fn cancel(&mut self, message_id: u64) -> Option<(u64, u64, Protection)> {
        const TIDIES: [Command; 3] = [Command::CLOSE, Command::TREE_DISCONNECT, Command::LOGOFF];
        let entry = self.entries.get_mut(&message_id)?;
        if TIDIES.contains(&entry.command) {
            return None;
        }
        let async_id = entry.async_id?;
        let again = std::mem::replace(&mut entry.cancelled, true);
        (!again).then_some((async_id, entry.session_id, entry.protection))
    }

    /// Takes all slots: the channel has failed.
    pub fn fail(&mut self) -> Vec<T> {
        self.entries.drain().map(|(_, entry)| entry.slot).collect()
    }
}

fn wrong(command: Command, rule: &'static str) -> PeerViolation {
    PeerViolation::Response { command, rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<&'static str> {
        let mut table = Table::new(8);
        let ids = table.begin(Command::ECHO, 1, 0, Protection::Plain, "first").unwrap();
        let mut answer = answer(ids.first, Command::ECHO, NtStatus::SUCCESS);
        answer.credits = 8;
        assert_eq!(table.answered(&answer), Ok(Answer::Final("first")));
        table
    }

    fn answer(message_id: u64, command: Command, status: NtStatus) -> Header {
        Header::request(command, message_id).response(status)
    }

    fn interim(message_id: u64, async_id: u64) -> Header {
        let mut header = answer(message_id, Command::WRITE, NtStatus::PENDING);
        header.route = Route::Async { async_id };
        header
    }

    #[test]
    fn an_answer_finds_its_request() {
        let mut table = table();
        assert_eq!(table.available(), 8);
        let read = table.begin(Command::READ, 2, 7, Protection::Signed, "read").unwrap().first;
        let write = table.begin(Command::WRITE, 3, 7, Protection::Plain, "write").unwrap().first;
        assert_eq!((read, write, table.available()), (1, 3, 3));
        assert_eq!(table.begin(Command::READ, 4, 7, Protection::Plain, "more"), Err("more"));
        let mut header = answer(read, Command::READ, NtStatus::SUCCESS);
        header.session_id = 7;
        assert_eq!(table.asked(&header), Ok(Protection::Signed));
        assert_eq!(table.answered(&header), Ok(Answer::Final("read")));
        assert_eq!(table.asked(&header), Err(PeerViolation::Unsolicited(read)), "only once");
        assert_eq!(table.outstanding(), 1);
    }

    #[test]
    fn a_foreign_answer_is_a_violation() {
        let mut table = table();
        let id = table.begin(Command::READ, 1, 7, Protection::Plain, "read").unwrap().first;
        let mut header = answer(id, Command::WRITE, NtStatus::SUCCESS);
        header.session_id = 7;
        assert!(table.asked(&header).is_err(), "another command");
        header.command = Command::READ;
        header.session_id = 8;
        assert!(table.asked(&header).is_err(), "another session");
        header.session_id = 7;
        header.role = Role::Request { channel_sequence: 0 };
        assert_eq!(table.asked(&header), Err(PeerViolation::State(Command::READ)), "a request");
        assert!(table.asked(&answer(99, Command::READ, NtStatus::SUCCESS)).is_err(), "never sent");
        let unsolicited = answer(UNSOLICITED, Command::READ, NtStatus::SUCCESS);
        assert!(table.answered(&unsolicited).is_err());
        let lease_break = answer(UNSOLICITED, Command::OPLOCK_BREAK, NtStatus::SUCCESS);
        assert_eq!(table.answered(&lease_break), Ok(Answer::Unsolicited));
    }

    #[test]
    fn interim_answers_need_one_async_id() {
        let mut table = table();
        let id = table.begin(Command::WRITE, 1, 0, Protection::Plain, "write").unwrap().first;
        assert!(table.answered(&answer(id, Command::WRITE, NtStatus::PENDING)).is_err());
        assert_eq!(table.answered(&interim(id, 5)), Ok(Answer::Interim));
        assert!(table.is_async(id));
        assert!(table.answered(&interim(id, 6)).is_err());
        let mut header = answer(id, Command::WRITE, NtStatus::SUCCESS);
        header.route = Route::Async { async_id: 5 };
        assert_eq!(table.answered(&header), Ok(Answer::Final("write")));
    }

    #[test]
    fn a_cancel_goes_out_once_and_only_where_it_helps() {
        let mut table = table();
        let id = table.begin(Command::WRITE, 1, 7, Protection::Signed, "write").unwrap().first;
        assert_eq!(table.cancel(id), None, "the answer is on its way");
        table.answered(&interim(id, 5)).unwrap();
        assert_eq!(table.cancel(id), Some((5, 7, Protection::Signed)));
        assert_eq!(table.cancel(id), None);
        assert_eq!(table.cancel(1234), None);
        let close = table.begin(Command::CLOSE, 1, 7, Protection::Signed, "close").unwrap().first;
        let mut pending = interim(close, 6);
        pending.command = Command::CLOSE;
        table.answered(&pending).unwrap();
        assert_eq!(table.cancel(close), None, "it is to be closed");
        table.answered(&answer(close, Command::CLOSE, NtStatus::SUCCESS)).unwrap();
        assert_eq!(table.fail(), ["write"]);
    }
}
