//! When a file is said to have been written last, while it is open.
//!
//! The time is not told anew with each WRITE: the first one shows after two seconds, or when something asks for it
//! (FLUSH, a new size, SET_INFO of any times); later ones show at the close. Clients that poll a file rely on it, and
//! [MS-FSA] 2.1.4.17 leaves the moment to the implementation; this is what Windows Server did up to 2016.
//!
//! ```text
//!          write              2 s, flush, new size          write
//!  Real ─────────▶ Pending ─────────────────────▶ Settled ─────────▶ Settled, again
//!   ▲                 │                              │                     │ close: the time is now
//!   └─────────────────┴──────── close ───────────────┴─────────────────────┘
//! ```

use smb_proto::msg::FileTime;

/// How long the first write is kept back, in 100 ns.
const DELAY: u64 = 20_000_000;

/// What is told of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteTime(State);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// What the back end says.
    #[default]
    Real,
    /// Written at `since`; what was so before is shown.
    Pending { shown: FileTime, since: FileTime },
    /// This is shown whatever is written; `again` says that something was.
    Settled { shown: FileTime, again: bool },
}

impl WriteTime {
    /// Whether the next write has to say what the time was before it.
    pub fn is_real(&self) -> bool {
        self.0 == State::Real
    }

    /// A write is about to happen; `before` is the time so far.
    pub fn write(&mut self, before: FileTime, now: FileTime) {
        match &mut self.0 {
            State::Real => self.0 = State::Pending { shown: before, since: now },
            State::Pending { .. } => {}
            State::Settled { again, .. } => *again = true,
        }
    }

    /// What to tell, where the back end says `real`.
    pub fn shown(&mut self, real: FileTime, now: FileTime) -> FileTime {
        if let State::Pending { since, .. } = self.0
            && now.0.saturating_sub(since.0) >= DELAY
        {
            self.settle(real);
        }
        match self.0 {
            State::Real => real,
            State::Pending { shown, .. } | State::Settled { shown, .. } => shown,
        }
    }

    /// A write that was kept back shows now.
    pub fn settle(&mut self, real: FileTime) {
        if let State::Pending { .. } = self.0 {
            self.0 = State::Settled { shown: real, again: false };
        }
    }

    /// Somebody set the time, or holds it.
    pub fn set(&mut self, time: FileTime) {
        self.0 = State::Settled { shown: time, again: false };
    }

    /// An open that wrote is closed. True where the time has to become that of the close.
    pub fn close(&mut self) -> bool {
        let again = matches!(self.0, State::Settled { again: true, .. });
        self.0 = State::Real;
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: FileTime = FileTime(1);
    const WRITTEN: FileTime = FileTime(1_000);
    const SOON: FileTime = FileTime(1_000 + DELAY - 1);
    const LATER: FileTime = FileTime(1_000 + DELAY);

    fn written() -> WriteTime {
        let mut time = WriteTime::default();
        time.write(BEFORE, WRITTEN);
        time
    }

    #[test]
    fn a_write_shows_later() {
        let mut time = written();
        assert_eq!(time.shown(WRITTEN, SOON), BEFORE);
        assert_eq!(time.shown(WRITTEN, LATER), WRITTEN);
        assert!(!time.close(), "it is what the back end says");
        assert_eq!(time.shown(LATER, LATER), LATER);
    }

    #[test]
    fn or_when_asked_for() {
        let mut time = written();
        time.settle(WRITTEN);
        assert_eq!(time.shown(WRITTEN, SOON), WRITTEN);
        let mut untouched = WriteTime::default();
        untouched.settle(WRITTEN);
        assert!(untouched.is_real());
    }

    #[test]
    fn a_second_write_shows_at_the_close() {
        let mut time = written();
        time.settle(WRITTEN);
        time.write(WRITTEN, SOON);
        assert_eq!(time.shown(SOON, LATER), WRITTEN);
        assert!(time.close());
    }

    #[test]
    fn a_time_that_was_set_stays() {
        let mut time = written();
        time.set(FileTime(7));
        assert_eq!(time.shown(FileTime(7), LATER), FileTime(7));
        assert!(!time.close());
    }
}
