use super::*;

const OK: Result<(), NtStatus> = Ok(());
const FAILED: NtStatus = NtStatus::DISK_FULL;

fn stream() -> Stream {
    Stream::new(1 << 20, false)
}

fn write(stream: &mut Stream, offset: u64, bytes: &'static [u8]) -> Admission {
    stream.write(offset, Bytes::from_static(bytes), false)
}

fn feed(stream: &mut Stream) {
    while let Step::Feed(_) = stream.next() {
        stream.took(OK);
    }
}

/// A stream of five bytes in each phase before its end.
fn phases() -> Vec<(&'static str, Stream)> {
    type Phase = (&'static str, fn(&mut Stream));
    let steps: [Phase; 6] = [
        ("new", |_| {}),
        ("received", |stream| assert_eq!(write(stream, 0, b"hello"), Admission::Admitted)),
        ("in hand", |stream| assert!(matches!(stream.next(), Step::Feed(_)))),
        ("flushed", |stream| assert_eq!(stream.flush(), Answer::Wait)),
        ("fed", |stream| stream.took(OK)),
        ("verified", |stream| {
            assert_eq!(stream.next(), Step::Verify);
            stream.verify([0; 32]);
        }),
    ];
    (1..=steps.len())
        .map(|count| {
            let mut stream = stream();
            steps[..count].iter().for_each(|(_, step)| step(&mut stream));
            (steps[count - 1].0, stream)
        })
        .collect()
}

#[test]
fn flush_is_answered_after_the_consumer_confirmed_all() {
    let mut stream = stream();
    write(&mut stream, 0, b"hello");
    assert_eq!(stream.flush(), Answer::Wait);
    assert!(matches!(stream.next(), Step::Feed(bytes) if bytes == "hello"));
    assert_eq!(stream.next(), Step::Wait, "the consumer has it in hand");
    stream.took(OK);
    assert_eq!(stream.next(), Step::Verify);
    stream.verify([0; 32]);
    assert_eq!(stream.next(), Step::Commit);
    assert_eq!(stream.flush(), Answer::Wait);
    stream.confirm(OK);
    assert_eq!(stream.flush(), Answer::Now(OK));
    assert_eq!(stream.flush(), Answer::Now(OK), "again, the same");
    assert_eq!(stream.next(), Step::Finish);
    assert_eq!(stream.close(true), Answer::Now(OK));
}

#[test]
fn a_gap_or_a_waiting_write_keeps_from_committing_but_does_not_end_it() {
    let mut stream = Stream::new(8, false);
    write(&mut stream, 2, b"llo");
    let refused = Answer::Now(Err(NtStatus::INVALID_DEVICE_STATE));
    assert_eq!(stream.flush(), refused);
    write(&mut stream, 0, b"he");
    assert!(matches!(write(&mut stream, 5, b" world"), Admission::Full(_)));
    stream.count_waiting(false, true);
    assert_eq!(stream.flush(), refused);
    feed(&mut stream);
    assert_eq!(write(&mut stream, 5, b" world"), Admission::Admitted);
    stream.count_waiting(true, false);
    assert_eq!(stream.flush(), Answer::Wait);
}

#[test]
fn nothing_new_comes_after_the_flush() {
    for (phase, mut stream) in phases().into_iter().skip(3) {
        assert_eq!(
            write(&mut stream, 5, b"!"),
            Admission::Refused(NtStatus::INVALID_DEVICE_STATE),
            "{phase}"
        );
        assert_eq!(stream.write(0, Bytes::from_static(b"hello"), true), Admission::Admitted, "{phase}");
        assert!(matches!(stream.write(4, Bytes::from_static(b"o!"), true), Admission::Refused(_)), "{phase}");
    }
}

#[test]
fn lost_in_any_phase_is_never_committed() {
    for (phase, mut stream) in phases() {
        assert_eq!(stream.close(false), Answer::Now(OK));
        assert_eq!(stream.next(), Step::Abort(AbortReason::Lost), "{phase}");
        assert_eq!(stream.flush(), Answer::Wait, "not before the consumer knows");
        stream.aborted();
        assert_eq!(stream.next(), Step::Finish);
        assert_eq!(stream.flush(), Answer::Now(Err(NtStatus::REQUEST_ABORTED)), "{phase}");
        assert_eq!(write(&mut stream, 5, b"!"), Admission::Refused(NtStatus::REQUEST_ABORTED), "{phase}");
    }
}

#[test]
fn closed_without_a_flush_is_not_committed() {
    for (phase, mut stream) in phases().into_iter().take(3) {
        assert_eq!(stream.close(true), Answer::Wait);
        assert_eq!(stream.next(), Step::Abort(AbortReason::Closed), "{phase}");
        stream.aborted();
        assert_eq!(stream.close(true), Answer::Now(Err(NtStatus::REQUEST_ABORTED)), "{phase}");
    }
}

#[test]
fn commit_on_close_needs_an_orderly_close_without_a_gap() {
    let complete = || {
        let mut stream = Stream::new(100, true);
        write(&mut stream, 0, b"hello");
        stream
    };
    let mut stream = complete();
    assert_eq!(stream.close(true), Answer::Wait);
    feed(&mut stream);
    assert_eq!(stream.next(), Step::Verify);
    let mut stream = complete();
    stream.close(false);
    assert_eq!(stream.next(), Step::Abort(AbortReason::Lost));
    let mut stream = complete();
    write(&mut stream, 7, b"gap");
    stream.close(true);
    assert_eq!(stream.next(), Step::Abort(AbortReason::Closed));
    let mut stream = complete();
    stream.count_waiting(false, true);
    stream.close(true);
    assert_eq!(stream.next(), Step::Abort(AbortReason::Closed));
}

#[test]
fn removed_is_aborted_and_closes_well() {
    let mut stream = Stream::new(100, true);
    write(&mut stream, 0, b"hello");
    stream.abort(AbortReason::Removed);
    assert_eq!(stream.close(true), Answer::Wait);
    assert_eq!(stream.next(), Step::Abort(AbortReason::Removed));
    stream.aborted();
    assert_eq!(stream.close(true), Answer::Now(OK));
    assert_eq!(stream.flush(), Answer::Now(Err(NtStatus::REQUEST_ABORTED)));
}

#[test]
fn the_consumer_s_failure_is_the_sender_s_answer() {
    let phase = |name| phases().into_iter().find(|(phase, _)| *phase == name).unwrap().1;
    let (mut in_hand, mut verified) = (phase("in hand"), phase("verified"));
    in_hand.took(Err(FAILED));
    verified.confirm(Err(FAILED));
    for mut stream in [in_hand, verified] {
        assert_eq!(stream.next(), Step::Abort(AbortReason::Consumer(FAILED)));
        stream.aborted();
        assert_eq!(stream.flush(), Answer::Now(Err(FAILED)));
        assert_eq!(write(&mut stream, 5, b"!"), Admission::Refused(FAILED));
    }
}

#[test]
fn a_confirmation_in_the_last_moment_counts() {
    let mut stream = phases().pop().unwrap().1;
    assert_eq!(stream.next(), Step::Commit);
    stream.close(false);
    stream.confirm(OK);
    assert_eq!(stream.flush(), Answer::Now(OK));
    assert_eq!(stream.next(), Step::Finish);
}

fn announced(length: u64, digest: [u8; 32]) -> StreamCommit {
    StreamCommit { algorithm: DigestAlgorithm::BLAKE3, length, digest }
}

#[test]
fn length_and_digest_must_be_as_announced() {
    for (announced, digest, outcome) in [
        (announced(5, [1; 32]), [1; 32], Step::Commit),
        (announced(5, [1; 32]), [2; 32], Step::Abort(AbortReason::Digest)),
        (announced(6, [1; 32]), [1; 32], Step::Abort(AbortReason::Length { received: 5, announced: 6 })),
        (announced(4, [1; 32]), [1; 32], Step::Abort(AbortReason::Length { received: 5, announced: 4 })),
    ] {
        let mut stream = stream();
        write(&mut stream, 0, b"hello");
        stream.expect(announced).unwrap();
        stream.flush();
        feed(&mut stream);
        stream.verify(digest);
        assert_eq!(stream.next(), outcome);
    }
}

#[test]
fn what_is_announced_cannot_change_after_the_flush() {
    let mut stream = stream();
    let unknown = StreamCommit { algorithm: DigestAlgorithm(9), ..announced(0, [0; 32]) };
    assert_eq!(stream.expect(unknown), Err(NtStatus::NOT_SUPPORTED));
    stream.expect(announced(1, [1; 32])).unwrap();
    stream.expect(announced(0, [0; 32])).unwrap();
    stream.flush();
    assert_eq!(stream.expect(announced(0, [0; 32])), OK);
    assert_eq!(stream.expect(announced(1, [1; 32])), Err(NtStatus::INVALID_DEVICE_STATE));
}

#[test]
fn every_reason_has_its_status() {
    assert_eq!(AbortReason::Idle.status(), NtStatus::IO_TIMEOUT);
    assert_eq!(AbortReason::Digest.status(), NtStatus::CRC_ERROR);
    assert_eq!(AbortReason::Length { received: 0, announced: 1 }.status(), NtStatus::DATA_ERROR);
    assert_eq!(AbortReason::Lost.status(), NtStatus::REQUEST_ABORTED);
}
