#![allow(clippy::as_conversions)]

use super::*;
use proptest::prelude::*;

const REFUSED: Admission = Admission::Refused(NtStatus::INVALID_PARAMETER);

fn put(window: &mut Window, offset: u64, bytes: &'static [u8]) -> Admission {
    window.admit(offset, Bytes::from_static(bytes), false)
}

fn again(window: &mut Window, offset: u64, bytes: &'static [u8]) -> Admission {
    window.admit(offset, Bytes::from_static(bytes), true)
}

fn drain(window: &mut Window) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(bytes) = window.next() {
        out.extend_from_slice(&bytes);
        window.taken();
    }
    out
}

#[test]
fn any_order_in_and_order_out() {
    let mut window = Window::new(100);
    assert_eq!(put(&mut window, 6, b"world"), Admission::Admitted);
    assert_eq!(window.next(), None);
    assert!(window.has_gap() && window.contiguous() == 0);
    assert_eq!(put(&mut window, 0, b"hello "), Admission::Admitted);
    assert!(!window.has_gap() && window.contiguous() == 11);
    assert_eq!(drain(&mut window), b"hello world");
    assert!(window.is_drained());
}

#[test]
fn one_at_a_time_is_in_hand() {
    let mut window = Window::new(100);
    put(&mut window, 0, b"ab");
    put(&mut window, 2, b"cd");
    assert_eq!(window.next().unwrap(), "ab");
    assert_eq!(window.next(), None);
    window.taken();
    assert_eq!(window.next().unwrap(), "cd");
    assert!(!window.is_drained());
    window.taken();
    assert!(window.is_drained());
}

#[test]
fn beyond_the_window_waits_but_the_lowest_missing_byte_never_does() {
    let mut window = Window::new(10);
    assert_eq!(put(&mut window, 8, b"xyz"), Admission::Full(Bytes::from_static(b"xyz")));
    assert_eq!(put(&mut window, 7, b"xyz"), Admission::Admitted);
    assert_eq!(put(&mut window, 0, b"longer than the window"), REFUSED, "it overlaps what is held");
    assert_eq!(put(&mut window, 0, b"1234567"), Admission::Admitted);
    assert_eq!(drain(&mut window), b"1234567xyz");
    assert_eq!(put(&mut window, 10, b"longer than the window"), Admission::Admitted);
    assert_eq!(drain(&mut window), b"longer than the window");
}

#[test]
fn a_slow_consumer_bounds_what_is_held() {
    let mut window = Window::new(4);
    put(&mut window, 0, b"abcd");
    assert!(matches!(put(&mut window, 4, b"e"), Admission::Full(_)));
    window.next().unwrap();
    assert_eq!(put(&mut window, 4, b"efghij"), Admission::Admitted, "one in hand, one behind it");
    assert!(matches!(put(&mut window, 10, b"k"), Admission::Full(_)));
    window.taken();
    assert!(matches!(put(&mut window, 10, b"k"), Admission::Full(_)));
    window.next().unwrap();
    assert_eq!(put(&mut window, 10, b"k"), Admission::Admitted);
}

#[test]
fn what_came_before_is_fine_as_a_replay_only() {
    let mut window = Window::new(100);
    put(&mut window, 0, b"abcd");
    drain(&mut window);
    assert_eq!(put(&mut window, 0, b"abcd"), REFUSED);
    assert_eq!(put(&mut window, 2, b"cdef"), REFUSED);
    assert_eq!(again(&mut window, 0, b"abcd"), Admission::Admitted);
    assert_eq!(again(&mut window, 2, b"cdef"), Admission::Admitted);
    assert_eq!(drain(&mut window), b"ef");
}

#[test]
fn a_replay_fills_the_holes_around_what_is_held() {
    let mut window = Window::new(100);
    put(&mut window, 2, b"cd");
    put(&mut window, 6, b"gh");
    assert_eq!(put(&mut window, 3, b"d"), REFUSED);
    assert_eq!(again(&mut window, 0, b"abcdefghij"), Admission::Admitted);
    assert_eq!(drain(&mut window), b"abcdefghij");
    put(&mut window, 12, b"mn");
    assert_eq!(again(&mut window, 13, b"no"), Admission::Admitted);
    assert_eq!(again(&mut window, 10, b"kl"), Admission::Admitted);
    assert_eq!(drain(&mut window), b"klmno");
}

#[test]
fn many_small_ones_are_bounded_too() {
    let mut window = Window::new(1 << 20);
    let admitted =
        (1..=SEGMENTS as u64 + 5).filter(|at| put(&mut window, at * 2, b"x") == Admission::Admitted);
    assert_eq!(admitted.count(), SEGMENTS);
    assert_eq!(put(&mut window, 0, b"ab"), Admission::Admitted);
    assert_eq!(drain(&mut window), b"abx");
}

#[test]
fn offsets_without_end() {
    let mut window = Window::new(u64::MAX);
    assert_eq!(put(&mut window, u64::MAX, b"x"), REFUSED);
    assert_eq!(put(&mut window, u64::MAX - 1, b"x"), Admission::Admitted);
    assert_eq!(put(&mut window, 5, b""), Admission::Admitted);
    assert!(window.has_gap());
}

proptest! {
    /// Whatever the order, the sizes, the repetitions and the consumer's pace: the bytes come out once, in order.
    #[test]
    fn the_stream_comes_out_as_it_went_in(
        sizes in proptest::collection::vec(1usize..40, 1..60),
        order in proptest::collection::vec(any::<usize>(), 400),
        size in 1u64..200,
    ) {
        let total: usize = sizes.iter().sum();
        let content: Bytes = (0..total).map(|i| (i * 31 % 251) as u8).collect();
        let mut at = 0;
        let mut pieces: Vec<_> = sizes.iter().map(|len| { at += len; (at - len, at) }).collect();
        let mut window = Window::new(size);
        let mut out = Vec::new();
        let mut order = order.into_iter().cycle();
        while out.len() < total {
            let pick = order.next().unwrap();
            let consumes = pick % 3 == 0 || pieces.is_empty();
            if let Some(bytes) = consumes.then(|| window.next()).flatten() {
                out.extend_from_slice(&bytes);
                window.taken();
            }
            if pieces.is_empty() { continue }
            // The lowest piece now and then, so that the order makes progress through a small window.
            let index = if pick % 5 == 0 { 0 } else { pick % pieces.len() };
            let (from, to) = pieces[index];
            match window.admit(from as u64, content.slice(from..to), pick % 2 == 0) {
                Admission::Admitted if pick % 7 == 0 && pick % 2 == 0 => {}
                Admission::Admitted => { pieces.remove(index); }
                Admission::Full(bytes) => {
                    prop_assert_eq!(&bytes[..], &content[from..to]);
                    prop_assert!(to as u64 > out.len() as u64 + size || index > 0 || window.contiguous() > out.len() as u64);
                }
                // A piece that was left for a repetition must be flagged as one.
                Admission::Refused(_) => prop_assert!(pick % 2 == 1),
            }
        }
        prop_assert_eq!(&out[..], &content[..]);
        prop_assert!(!window.has_gap());
    }
}
