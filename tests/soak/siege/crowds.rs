//! The crowds, and what each does. What a siege returns is held until the others have had their turn.

use crate::Wrong;
use smb_proto::{
    command::Command,
    compound,
    header::{Header, HeaderFlags, Route},
    msg::{EchoRequest, FileId, LockElement, LockFlags, LockRequest, LockSequence},
    status::NtStatus,
};
use smb_tests::{Raw, bounded, pattern, read, write};
use smb_transport::{Pool, TcpTransport};
use std::{any::Any, collections::BTreeMap, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::{JoinHandle, JoinSet},
};

/// All there are.
pub const SIEGES: [&str; 9] =
    ["stalled", "slow", "slow-known", "deaf", "opens", "opens-of-one", "compounds", "bombs", "ballast"];
/// Clients that have logged on and then send a long frame slowly.
pub const KNOWN: usize = 32;
/// Opens of one session; `Limits::max_opens` is a little more.
const OPENS_EACH: usize = 16_000;

/// A server to lay siege to.
pub struct Siege {
    /// Its address.
    pub address: String,
    /// How many connections a crowd has.
    pub connections: usize,
    /// How many opens.
    pub opens: usize,
}

/// What a siege holds, and what there is to say of it.
pub struct Held {
    /// In a few words.
    pub said: String,
    _what: Box<dyn Any + Send>,
}

fn held(said: String, what: impl Any + Send) -> Held {
    Held { said, _what: Box::new(what) }
}

/// Ends with what holds it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Siege {
    /// Sessions that the opens are spread over.
    pub fn sessions(&self) -> usize {
        self.opens.div_ceil(OPENS_EACH)
    }

    /// Lays the siege called `name`.
    pub async fn lay(&self, name: &str) -> Result<Held, Wrong> {
        match name {
            "stalled" => self.stalled().await,
            "slow" => self.slow().await,
            "slow-known" => self.slow_known().await,
            "deaf" => self.deaf().await,
            "opens" => self.many_opens(self.opens, 1000).await,
            "opens-of-one" => self.many_opens(OPENS_EACH, 1).await,
            "compounds" => self.compounds().await,
            "bombs" => self.bombs().await,
            _ => self.ballast().await,
        }
    }

    async fn socket(&self) -> Result<TcpStream, Wrong> {
        let socket = TcpStream::connect(&self.address).await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    async fn raw(&self) -> Result<Raw, Wrong> {
        Ok(Raw::over(TcpTransport::new(self.socket().await?, Pool::new(0))?))
    }

    async fn logged_on(&self) -> Result<Raw, Wrong> {
        Ok(Raw::on_share(TcpTransport::new(self.socket().await?, Pool::new(0))?, "memory").await)
    }

    /// Connections that say nothing, or greet and no more.
    async fn stalled(&self) -> Result<Held, Wrong> {
        let mut crowd = Vec::with_capacity(self.connections);
        for n in 0..self.connections {
            let mut raw = self.raw().await?;
            if n % 2 == 0 {
                raw.negotiate().await;
            }
            crowd.push(raw);
        }
        Ok(held(format!("{} connections", crowd.len()), crowd))
    }

    /// Connections that announce a frame and send a byte of it now and then.
    async fn slow(&self) -> Result<Held, Wrong> {
        let mut crowd = Vec::new();
        for _ in 0..1000.min(self.connections) {
            let mut socket = self.socket().await?;
            // 100 KiB are announced.
            let _ = socket.write_all(&[0, 1, 0x90, 0]).await;
            crowd.push(socket);
        }
        let said = format!("{} connections", crowd.len());
        Ok(held(said, Task(tokio::spawn(trickle(crowd)))))
    }

    /// The same by clients that have logged on, with frames as long as they may be.
    async fn slow_known(&self) -> Result<Held, Wrong> {
        let (mut crowd, mut kept) = (Vec::new(), Vec::new());
        for _ in 0..KNOWN {
            let socket = self.socket().await?.into_std()?;
            let twin = TcpStream::from_std(socket.try_clone()?)?;
            kept.push(Raw::on_share(TcpTransport::new(twin, Pool::new(0))?, "memory").await);
            let mut socket = TcpStream::from_std(socket)?;
            socket.write_all(&[0, 0x80, 0, 0]).await?;
            // All but the last bytes of 8 MiB: what is announced is there.
            socket.write_all(&vec![0; (8 << 20) - 1000]).await?;
            crowd.push(socket);
        }
        let task = Task(tokio::spawn(trickle(crowd)));
        Ok(held(format!("{KNOWN} clients, a frame of 8 MiB each"), (task, kept)))
    }

    /// A client that asks for all it may and reads none of it.
    async fn deaf(&self) -> Result<Held, Wrong> {
        let mut raw = self.logged_on().await?;
        let id = raw.create("large").await;
        for part in 0..8u64 {
            let data = pattern(1 << 20, 1);
            let (header, _) = raw.ask(&write(id, part << 20, &data), Raw::charge(data.len())).await;
            expect(header.status() == Some(NtStatus::SUCCESS), "a write")?;
        }
        let credits = gather(&mut raw).await;
        let mut asked = 0u64;
        // The server may stop taking more in: then it is enough.
        let patience = Duration::from_secs(2);
        while asked * 128 + 128 < credits {
            let frame = raw.frame(&read(id, 0, 8 << 20), Raw::charge(8 << 20));
            match tokio::time::timeout(patience, raw.send(&frame)).await {
                Ok(sent) => sent?,
                Err(_) => break,
            }
            asked += 1;
        }
        Ok(held(format!("{} MiB asked for and not read", asked * 8), raw))
    }

    /// `count` opens of `names` files, spread over as many sessions as it takes.
    async fn many_opens(&self, count: usize, names: usize) -> Result<Held, Wrong> {
        let mut work = JoinSet::new();
        for session in 0..count.div_ceil(OPENS_EACH) {
            let mut raw = self.logged_on().await?;
            let share = OPENS_EACH.min(count - session * OPENS_EACH);
            work.spawn(async move {
                let statuses = open(&mut raw, share, names).await;
                (raw, statuses)
            });
        }
        let (mut kept, mut all) = (Vec::new(), BTreeMap::new());
        while let Some(done) = work.join_next().await {
            let (raw, statuses) = done?;
            for (status, count) in statuses? {
                *all.entry(status).or_insert(0) += count;
            }
            kept.push(raw);
        }
        let (ok, refused) = (NtStatus::SUCCESS.0, NtStatus::TOO_MANY_OPENED_FILES.0);
        expect(all.keys().all(|status| *status == ok || *status == refused), &format!("{all:x?}"))?;
        let number = |status| all.get(&status).copied().unwrap_or(0);
        Ok(held(format!("{} opens, {} refused", number(ok), number(refused)), kept))
    }

    /// Frames of thousands of requests.
    async fn compounds(&self) -> Result<Held, Wrong> {
        let mut raw = self.logged_on().await?;
        let credits = gather(&mut raw).await;
        let parts = usize::try_from(credits)? / 4;
        for _ in 0..3 {
            let mut builder = compound::Builder::new();
            for n in 0..parts {
                let (command, related) =
                    if n % 2 == 0 { (Command::CREATE, n > 0) } else { (Command::ECHO, true) };
                let mut header: Header = raw.header(command, 1);
                if related {
                    header.flags = header.flags.with(HeaderFlags::RELATED_OPERATIONS);
                    header.route = Route::tree(u32::MAX);
                }
                match command {
                    Command::CREATE => builder.push(&header, &Raw::create_request("file")),
                    _ => builder.push(&header, &EchoRequest),
                };
            }
            raw.send(&builder.finish()).await?;
        }
        for _ in 0..3 {
            let answers = raw.receive().await?.ok_or("no answer")?;
            expect(compound::parts(&answers).count() == parts, "an answer to every part")?;
        }
        Ok(held(format!("frames of {parts} requests"), raw))
    }

    /// Frames that say that they are small ones of gigabytes.
    async fn bombs(&self) -> Result<Held, Wrong> {
        for logged_on in [false, true] {
            for chained in [false, true] {
                let mut raw = if logged_on { self.logged_on().await? } else { self.raw().await? };
                let mut bomb = b"\xfcSMB\xff\xff\xff\xff".to_vec();
                // Pattern_V1: 4 GiB of zeros.
                bomb.extend([4, 0, u8::from(chained), 0, 8, 0, 0, 0]);
                bomb.extend([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
                raw.send(&bomb).await?;
                raw.ends().await;
            }
        }
        Ok(held("each ended its connection".into(), ()))
    }

    /// Requests that wait, with megabytes behind them that nobody needs, for a credit each.
    async fn ballast(&self) -> Result<Held, Wrong> {
        const REQUESTS: usize = 400;
        let (mut holder, mut raw) = (self.logged_on().await?, self.logged_on().await?);
        let id = holder.create("locked").await;
        let (header, _) = holder.ask(&lock(id), 1).await;
        expect(header.status() == Some(NtStatus::SUCCESS), "a lock")?;
        let id = raw.create("locked").await;
        gather(&mut raw).await;
        for n in 0..REQUESTS {
            let mut frame = raw.frame(&lock(id), 1);
            // Alone, or behind another that waits in the same frame.
            if n % 2 == 0 {
                frame.resize(8 << 20, 0);
            } else {
                let len = u32::try_from(frame.len().next_multiple_of(8))?;
                frame.resize(usize::try_from(len)?, 0);
                frame[20..24].copy_from_slice(&len.to_le_bytes());
                frame.extend(raw.frame(&EchoRequest, 1));
                frame.resize(8 << 20, 0);
            }
            raw.send(&frame).await?;
        }
        let mut refused = 0;
        while refused < REQUESTS {
            let (header, _) = raw.answer().await;
            expect(header.status() == Some(NtStatus::INVALID_PARAMETER), "a refusal")?;
            refused += 1;
        }
        Ok(held(format!("{refused} requests of 8 MiB refused"), (holder, raw)))
    }
}

/// A byte each, now and then, for as long as it may.
async fn trickle(mut crowd: Vec<TcpStream>) {
    loop {
        for socket in &mut crowd {
            // Who was sent away is not there any more.
            let _ = socket.write_all(&[0]).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All the credits that the server gives.
async fn gather(raw: &mut Raw) -> u64 {
    let mut credits = 0;
    for _ in 0..40 {
        let (header, _) = raw.ask(&EchoRequest, 1).await;
        credits += u64::from(header.credits) - 1;
    }
    credits
}

/// Opens `count` times, many requests under way at a time; gives how often each status came.
async fn open(raw: &mut Raw, count: usize, names: usize) -> Result<BTreeMap<u32, usize>, Wrong> {
    const AT_ONCE: usize = 200;
    gather(raw).await;
    let mut statuses = BTreeMap::new();
    let mut begun = 0;
    while begun < count {
        let batch = AT_ONCE.min(count - begun);
        for n in begun..begun + batch {
            let frame = raw.frame(&Raw::create_request(&format!("open-{}", n % names)), 1);
            raw.send(&frame).await?;
        }
        for _ in 0..batch {
            let (header, _) = bounded("an open", raw.answer()).await;
            *statuses.entry(header.status().map_or(0, |status| status.0)).or_insert(0) += 1;
        }
        begun += batch;
    }
    Ok(statuses)
}

fn expect(holds: bool, what: &str) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(format!("expected: {what}").into()) }
}

fn lock(file_id: FileId) -> LockRequest {
    let locks = vec![LockElement { offset: 0, length: 10, flags: LockFlags::EXCLUSIVE_LOCK }];
    LockRequest { sequence: LockSequence::default(), file_id, locks }
}
