#![allow(clippy::as_conversions)]

use super::*;

fn data(limit: u64) -> (Arc<Quota>, Data) {
    let quota = Arc::new(Quota::new(limit));
    (Arc::clone(&quota), Data::new(quota))
}

fn read(data: &Data, offset: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0xee; len];
    let got = data.read(offset, &mut out);
    out.truncate(got);
    out
}

#[test]
fn holes_read_as_zeroes_and_cost_nothing() {
    let (quota, data) = data(u64::MAX);
    data.write(5 * BLOCK_64 + 7, b"far").unwrap();
    assert_eq!(data.len(), 5 * BLOCK_64 + 10);
    assert_eq!(quota.space().available, u64::MAX - 10);
    assert_eq!(read(&data, 0, 3), [0; 3]);
    assert_eq!(read(&data, 5 * BLOCK_64 + 5, 100), b"\0\0far");
    assert_eq!(read(&data, 5 * BLOCK_64 + 10, 1), b"");
    assert_eq!(read(&data, u64::MAX, 1), b"");
}

#[test]
fn a_range_over_several_blocks_is_one_range() {
    let (_, data) = data(u64::MAX);
    let bytes: Vec<u8> = (0..3 * BLOCK).map(|i| (i % 251) as u8).collect();
    data.write(BLOCK_64 - 3, &bytes).unwrap();
    assert_eq!(read(&data, BLOCK_64 - 3, 4 * BLOCK), bytes);
    data.write(BLOCK_64 - 1, b"xy").unwrap();
    assert_eq!(read(&data, BLOCK_64 - 3, 5), [0, 1, b'x', b'y', 4]);
}

#[test]
fn what_was_cut_off_is_zero_when_the_file_grows_again() {
    let (quota, data) = data(u64::MAX);
    data.write(0, &vec![1; 2 * BLOCK + 10]).unwrap();
    data.set_len(BLOCK_64 + 4).unwrap();
    assert_eq!(data.allocated(), BLOCK_64 + CLUSTER);
    assert_eq!(quota.space().available, u64::MAX - BLOCK_64 - 4);
    data.set_len(3 * BLOCK_64).unwrap();
    assert_eq!(read(&data, BLOCK_64 + 2, 4), [1, 1, 0, 0]);
    assert_eq!(read(&data, 2 * BLOCK_64, 4), [0; 4]);
    data.set_len(0).unwrap();
    assert_eq!((data.len(), data.allocated(), quota.space().available), (0, 0, u64::MAX));
}

#[test]
fn the_limit_is_exact_and_comes_back() {
    let (quota, data) = data(10);
    data.write(0, &[1; 10]).unwrap();
    assert_eq!(data.write(10, &[1]), Err(NtStatus::DISK_FULL));
    assert_eq!(data.write(2 * BLOCK_64, &[1]), Err(NtStatus::DISK_FULL));
    assert_eq!(data.len(), 10, "a failed write does not move the end");
    data.write(3, &[2; 7]).unwrap();
    assert_eq!(data.set_len(11), Err(NtStatus::DISK_FULL));
    data.set_len(4).unwrap();
    data.write(4, &[3; 6]).unwrap();
    drop(data);
    assert_eq!(quota.space().available, 10);
}

#[test]
fn offsets_that_no_file_has_are_refused() {
    let (_, data) = data(u64::MAX);
    assert_eq!(data.write(u64::MAX, &[1]), Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(data.write(u64::MAX >> 1, &[1]), Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(data.write(u64::MAX, &[]), Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(data.len(), 0);
}

#[test]
fn writers_and_a_cutter_leave_nothing_behind_the_end() {
    let (quota, data) = data(u64::MAX);
    std::thread::scope(|scope| {
        for writer in 0..3u64 {
            let data = &data;
            scope.spawn(move || {
                for round in 0..200u64 {
                    data.write(writer * 1000 + round * 777, &vec![7; 3000]).unwrap();
                }
            });
        }
        scope.spawn(|| (0..200).for_each(|_| data.set_len(1000).unwrap()));
    });
    data.set_len(1000).unwrap();
    data.set_len(BLOCK_64 * 2).unwrap();
    let rest = read(&data, 1000, 2 * BLOCK);
    assert_eq!(rest.len(), 2 * BLOCK - 1000);
    assert!(rest.iter().all(|byte| *byte == 0));
    data.set_len(0).unwrap();
    assert_eq!(quota.space().available, u64::MAX);
}
