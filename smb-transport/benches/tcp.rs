//! 1 MiB messages over loopback, one thread each side, against bare sockets that move the same bytes.
//!
//! `cargo bench -p smb-transport [-- SECONDS [MESSAGE_SIZE]]`. Rounds alternate, so that a noisy machine is noisy to
//! both; the best round of each counts. CPU time says more than speed where the machine is shared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::as_conversions, clippy::print_stdout)]

use smb_transport::{Buffers, Msg, Pool, TcpListener, TcpOptions, TcpTransport, Transport};
use std::{
    future::Future,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let time = Duration::from_secs(numbers.next().unwrap_or(1) as u64);
    let len = numbers.next().unwrap_or(1 << 20);
    let contests: [(&str, Contest); 4] = [
        ("bare sockets", bare),
        ("transport, in the head", inline),
        ("transport, as payload", with_payload),
        ("128-byte messages, 64 a call", |time, _| small_together(time, 128)),
    ];
    let mut best = [Outcome { rate: 0.0, cpu: f64::INFINITY }; 4];
    for _ in 0..ROUNDS {
        for (best, (_, contest)) in best.iter_mut().zip(contests) {
            best.improve(contest, time, len);
        }
    }
    println!("{len}-byte messages over loopback, best of {ROUNDS} rounds of {time:?}");
    for ((name, _), Outcome { rate, cpu }) in contests.iter().zip(best) {
        let (gigabits, of_bare) = (rate * 8.0 / 1e9, rate / best[0].rate);
        println!("{name:30} {gigabits:7.2} Gbit/s  {of_bare:5.2} of bare  {cpu:6.3} CPU s/GiB both sides");
    }
}

/// Moves bytes for so long in messages of so many bytes; says bytes per second.
type Contest = fn(Duration, usize) -> f64;

#[derive(Clone, Copy)]
struct Outcome {
    rate: f64,
    cpu: f64,
}

impl Outcome {
    fn improve(&mut self, contest: Contest, time: Duration, len: usize) {
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let rate = contest(time, len);
        let moved = rate * start.elapsed().as_secs_f64() / f64::from(1 << 30);
        self.rate = self.rate.max(rate);
        self.cpu = self.cpu.min((cpu_seconds() - cpu) / moved);
    }
}

/// CPU time of this process so far, to a hundredth of a second; not a number where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|word| word.parse().ok()).collect();
    if ticks.len() == 2 { ticks.iter().sum::<f64>() / 100.0 } else { f64::NAN }
}

/// Bytes per second since `start`.
fn rate(bytes: u64, start: Instant) -> f64 {
    bytes as f64 / start.elapsed().as_secs_f64()
}

fn bare(time: Duration, len: usize) -> f64 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let sender = thread::spawn(move || {
        let mut stream = TcpStream::connect(peer).unwrap();
        let (block, start) = (vec![7; len], Instant::now());
        while start.elapsed() < time {
            stream.write_all(&block).unwrap();
        }
    });
    let (mut stream, _) = listener.accept().unwrap();
    let (mut block, mut bytes, start) = (vec![0; len], 0, Instant::now());
    loop {
        match stream.read(&mut block).unwrap() {
            0 => break,
            count => bytes += count as u64,
        }
    }
    let rate = rate(bytes, start);
    sender.join().unwrap();
    rate
}

fn inline(time: Duration, len: usize) -> f64 {
    measure(time, move |pool| vec![Msg::inline(pool.buffer(len))])
}

fn with_payload(time: Duration, len: usize) -> f64 {
    let payload = bytes::Bytes::from(vec![7; len]);
    measure(time, move |pool| vec![Msg { payload: payload.clone(), ..Msg::inline(pool.buffer(112)) }])
}

fn small_together(time: Duration, len: usize) -> f64 {
    measure(time, move |pool| (0..64).map(|_| Msg::inline(pool.buffer(len))).collect())
}

/// Sends what `make` makes, again and again.
fn measure(time: Duration, make: impl Fn(&Pool) -> Vec<Msg> + Send + 'static) -> f64 {
    let (address, found) = std::sync::mpsc::channel::<SocketAddr>();
    let receiver = thread::spawn(move || run(receive(address)));
    let peer = found.recv().unwrap();
    run(async move {
        let pool = Pool::default();
        let transport =
            TcpTransport::connect(peer, None, pool.clone(), &TcpOptions::default()).await.unwrap();
        let mut sender = Box::new(transport).split().sender;
        let start = Instant::now();
        while start.elapsed() < time {
            sender.send_all(make(&pool)).await.unwrap();
        }
        sender.close().await;
    });
    receiver.join().unwrap()
}

async fn receive(address: std::sync::mpsc::Sender<SocketAddr>) -> f64 {
    let here = ([127, 0, 0, 1], 0).into();
    let listener = TcpListener::bind(here, Pool::default(), TcpOptions::default()).unwrap();
    address.send(listener.local_addr().unwrap()).unwrap();
    let mut halves = Box::new(listener.accept().await.unwrap()).split();
    halves.receiver.set_limit(usize::MAX);
    let (mut bytes, start) = (0, Instant::now());
    while let Some(received) = halves.receiver.recv().await.unwrap() {
        bytes += received.message.len() as u64;
    }
    rate(bytes, start)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
