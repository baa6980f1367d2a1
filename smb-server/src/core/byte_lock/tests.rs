use super::*;
use crate::backend::FileKey;
use std::pin::pin;

const KEY: Key = Key::file(1, FileKey { volume: 1, file: 7 });

fn range(offset: u64, length: u64) -> Range {
    Range::checked(offset, length).unwrap()
}

fn exclusive(offset: u64, length: u64) -> Wanted {
    Wanted { range: range(offset, length), exclusive: true }
}

fn shared(offset: u64, length: u64) -> Wanted {
    Wanted { range: range(offset, length), exclusive: false }
}

fn two() -> (Arc<ByteLocks>, Arc<Locker>, Arc<Locker>) {
    let locks = Arc::new(ByteLocks::default());
    let (one, two) = (locks.owner(KEY), locks.owner(KEY));
    (locks, one, two)
}

fn poll(waiting: &mut Pin<&mut Waiting>) -> Poll<Result<(), NtStatus>> {
    waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn exclusive_and_shared() {
    let (locks, one, two) = two();
    one.lock(&[exclusive(0, 10)]).unwrap();
    assert_eq!(two.lock(&[shared(9, 1)]), Err(NtStatus::LOCK_NOT_GRANTED));
    assert_eq!(one.lock(&[exclusive(5, 1)]), Err(NtStatus::LOCK_NOT_GRANTED), "not even the same open");
    one.lock(&[shared(0, 10)]).unwrap();
    two.lock(&[exclusive(10, 1)]).unwrap();
    assert_eq!(locks.len(), 3);
    // The exclusive one goes first; then both may share.
    one.unlock(&[range(0, 10)]).unwrap();
    two.lock(&[shared(0, 1)]).unwrap();
    one.unlock(&[range(0, 10)]).unwrap();
    assert_eq!(one.unlock(&[range(0, 10)]), Err(NtStatus::RANGE_NOT_LOCKED));
    drop((one, two));
    assert_eq!(locks.len(), 0);
    assert!(locks.shards.iter().all(|shard| lock(shard).is_empty()));
}

#[test]
fn another_file_is_not_concerned() {
    let (locks, one, _two) = two();
    let other = locks.owner(Key { share: 2, ..KEY });
    one.lock(&[exclusive(0, 10)]).unwrap();
    other.lock(&[exclusive(0, 10)]).unwrap();
}

#[test]
fn reading_and_writing() {
    let (_locks, one, two) = two();
    one.lock(&[exclusive(0, 10), shared(20, 10)]).unwrap();
    assert!(one.check(range(0, 10), true).is_ok());
    assert_eq!(two.check(range(9, 5), false), Err(NtStatus::FILE_LOCK_CONFLICT));
    assert!(two.check(range(10, 15), false).is_ok());
    assert_eq!(two.check(range(10, 11), true), Err(NtStatus::FILE_LOCK_CONFLICT));
    assert_eq!(one.check(range(20, 1), true), Err(NtStatus::FILE_LOCK_CONFLICT), "its own, but shared");
    assert!(two.check(range(5, 0), true).is_ok());
}

#[test]
fn ranges_of_no_length_lie_between_bytes() {
    let (_locks, one, two) = two();
    one.lock(&[exclusive(10, 0)]).unwrap();
    two.lock(&[exclusive(10, 0)]).unwrap();
    two.lock(&[exclusive(10, 5)]).unwrap();
    two.lock(&[exclusive(5, 5)]).unwrap();
    assert_eq!(one.lock(&[exclusive(12, 0)]), Err(NtStatus::LOCK_NOT_GRANTED));
    assert!(one.lock(&[exclusive(15, 0)]).is_ok());
}

#[test]
fn ranges_end_within_64_bits() {
    assert!(Range::checked(u64::MAX, 1).is_ok());
    assert_eq!(Range::checked(u64::MAX, 2), Err(NtStatus::INVALID_LOCK_RANGE));
    assert!(Range::checked(u64::MAX, 0).is_ok());
    let (_locks, one, two) = two();
    one.lock(&[exclusive(1, u64::MAX)]).unwrap();
    assert!(two.lock(&[exclusive(u64::MAX, 1)]).is_err());
}

#[test]
fn all_or_none() {
    let (locks, one, two) = two();
    two.lock(&[exclusive(5, 1)]).unwrap();
    assert!(one.lock(&[exclusive(0, 1), exclusive(5, 1)]).is_err());
    assert_eq!(locks.len(), 1);
    two.lock(&[exclusive(0, 1)]).unwrap();
}

#[test]
fn who_waits_gets_it_in_turn() {
    let (_locks, one, two) = two();
    one.lock(&[exclusive(0, 10)]).unwrap();
    let mut first = pin!(two.wait(exclusive(0, 5)));
    let mut second = pin!(two.wait(shared(8, 1)));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    one.unlock(&[range(0, 10)]).unwrap();
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    assert_eq!(poll(&mut first), Poll::Ready(Ok(())));
    assert!(one.lock(&[shared(0, 1)]).is_err());
}

#[test]
fn what_is_unlocked_together_is_there_for_who_waits_longest() {
    let (_locks, one, two) = two();
    one.lock(&[exclusive(0, 10), exclusive(10, 10), exclusive(30, 10)]).unwrap();
    let mut both = pin!(two.wait(exclusive(0, 20)));
    let mut first = pin!(two.wait(exclusive(0, 10)));
    let mut apart = pin!(two.wait(exclusive(30, 10)));
    assert!(poll(&mut both).is_pending() && poll(&mut first).is_pending() && poll(&mut apart).is_pending());
    one.unlock(&[range(0, 10), range(10, 10)]).unwrap();
    assert_eq!(poll(&mut both), Poll::Ready(Ok(())));
    assert!(poll(&mut first).is_pending() && poll(&mut apart).is_pending());
    assert_eq!(one.unlock(&[range(30, 10), range(0, 10)]), Err(NtStatus::RANGE_NOT_LOCKED));
    assert_eq!(poll(&mut apart), Poll::Ready(Ok(())), "what went before stays unlocked");
}

#[test]
fn waiting_is_given_up_by_dropping() {
    let (locks, one, two) = two();
    one.lock(&[exclusive(0, 10)]).unwrap();
    let mut waiting = Box::pin(two.wait(exclusive(0, 5)));
    assert!(poll(&mut waiting.as_mut()).is_pending());
    drop(waiting);
    // Granted while it is dropped: it is given up, too.
    let mut waiting = Box::pin(two.wait(exclusive(0, 5)));
    assert!(poll(&mut waiting.as_mut()).is_pending());
    one.unlock(&[range(0, 10)]).unwrap();
    assert_eq!(locks.len(), 1);
    drop(waiting);
    assert_eq!(locks.len(), 0);
}

#[test]
fn the_end_of_an_open_ends_its_locks_and_its_waiting() {
    let (_locks, one, two) = two();
    one.lock(&[exclusive(0, 10)]).unwrap();
    let mut waiting = pin!(two.wait(exclusive(0, 5)));
    let mut own = pin!(one.wait(exclusive(0, 5)));
    assert!(poll(&mut waiting).is_pending() && poll(&mut own).is_pending());
    one.end();
    assert_eq!(poll(&mut own), Poll::Ready(Err(NtStatus::RANGE_NOT_LOCKED)));
    assert_eq!(poll(&mut waiting), Poll::Ready(Ok(())));
}

#[test]
fn locks_are_bounded() {
    let (_locks, one, _two) = two();
    for offset in 0..u64::try_from(MOST_PER_FILE).unwrap() {
        one.lock(&[shared(offset, 1)]).unwrap();
    }
    assert_eq!(one.lock(&[shared(0, 1)]), Err(NtStatus::INSUFFICIENT_RESOURCES));
}
