//! What happens to a file between its being found and its open being counted, or its being replaced.

use crate::peer::*;
use smb_proto::{
    fscc::{DispositionInformation, RenameInformation, ea::ExtendedAttribute},
    msg::*,
    status::NtStatus,
};
use smb_server::{
    Share,
    backend::{
        Backend, Caller, Capabilities, Handle, LocalOptions, LocalShare, MemoryShare, Metadata, OpenRequest,
        Opened, Path, Result,
    },
};
use smb_transport::{BoxFuture, Gate, IoBuf};
use std::sync::Arc;

const LATE: &str = "late";

/// A back end whose opens for [`LATE`] wait, done, in front of a gate, and whose renames wait in front of another.
struct Slow<B> {
    inner: B,
    gate: Gate,
    renames: Gate,
}

/// A handle whose renames wait.
struct SlowHandle {
    inner: Arc<dyn Handle>,
    renames: Gate,
}

impl<B: Backend> Backend for Slow<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open<'a>(&'a self, caller: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let opened = self.inner.open(caller, request).await;
            if caller.user.as_ref() == LATE {
                self.gate.pass().await;
            }
            opened.map(|opened| Opened {
                handle: Arc::new(SlowHandle { inner: opened.handle, renames: self.renames.clone() }),
                ..opened
            })
        })
    }
}

impl Handle for SlowHandle {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        self.inner.metadata()
    }

    fn link_id(&self) -> u64 {
        self.inner.link_id()
    }

    fn has_name(&self) -> BoxFuture<'_, Result<bool>> {
        self.inner.has_name()
    }

    fn read(&self, offset: u64, buf: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        self.inner.read(offset, buf)
    }

    fn write(&self, offset: u64, buf: IoBuf, replay: bool) -> BoxFuture<'_, Result<()>> {
        self.inner.write(offset, buf, replay)
    }

    fn rename<'a>(&'a self, to: &'a Path, replace: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.renames.pass().await;
            self.inner.rename(to, replace).await
        })
    }

    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.remove()
    }

    fn remove_file(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.remove_file()
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool>> {
        self.inner.is_empty()
    }
}

/// A back end in memory where what [`LATE`] opens is not emptied, after a wait in front of a gate.
struct Full {
    inner: MemoryShare,
    gate: Gate,
}

struct FullHandle {
    inner: Arc<dyn Handle>,
    gate: Gate,
}

impl Backend for Full {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open<'a>(&'a self, caller: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let mut opened = self.inner.open(caller, request).await?;
            if caller.user.as_ref() == LATE {
                opened.handle = Arc::new(FullHandle { inner: opened.handle, gate: self.gate.clone() });
            }
            Ok(opened)
        })
    }
}

impl Handle for FullHandle {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        self.inner.metadata()
    }

    fn overwrite<'a>(
        &'a self,
        _: FileAttributes,
        _: &'a [ExtendedAttribute],
    ) -> BoxFuture<'a, Result<Metadata>> {
        Box::pin(async {
            self.gate.pass().await;
            Err(NtStatus::DISK_FULL)
        })
    }

    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.remove()
    }
}

struct Race {
    gate: Gate,
    renames: Gate,
    late: Peer,
    other: Peer,
    _home: tempfile::TempDir,
}

impl Race {
    async fn all() -> [Self; 2] {
        let home = tempfile::tempdir().unwrap();
        let local = LocalShare::open(home.path(), LocalOptions::default()).unwrap();
        [Self::on(MemoryShare::new(), tempfile::tempdir().unwrap()).await, Self::on(local, home).await]
    }

    async fn on(inner: impl Backend, home: tempfile::TempDir) -> Self {
        let (gate, renames) = (Gate::opened(), Gate::opened());
        let slow = Slow { inner, gate: gate.clone(), renames: renames.clone() };
        Self { renames, ..Self::over(slow, gate, home).await }
    }

    async fn over(backend: impl Backend, gate: Gate, home: tempfile::TempDir) -> Self {
        let share = Share::new("data", backend);
        let server = server(share, |builder| builder.user(LATE, PASSWORD));
        let mut late = Peer::connect(&server);
        late.negotiate().await;
        late.login(LATE, PASSWORD).await.unwrap();
        late.connect_tree("data").await.unwrap();
        Self { gate, renames: Gate::opened(), late, other: Peer::ready(&server).await, _home: home }
    }

    async fn file_of(&mut self, name: &str, content: &[u8]) -> FileId {
        let file = self.other.file(name).await;
        self.other.write(file, 0, content).await.unwrap();
        file
    }

    /// Opens late: `meanwhile` happens once the back end has opened.
    async fn open_late(
        &mut self,
        request: CreateRequest,
        meanwhile: impl AsyncFnOnce(&mut Peer),
    ) -> Result<CreateResponse> {
        self.gate.close();
        let id = self.late.send(&request, 1).await;
        watched(self.gate.waiting(1)).await;
        meanwhile(&mut self.other).await;
        self.gate.open();
        let reply = self.late.answer(id).await;
        if reply.status() == NtStatus::SUCCESS { Ok(reply.body()) } else { Err(reply.status()) }
    }

    /// The other user renames `file`: `meanwhile` happens once that is allowed and before it is done.
    async fn rename_late(
        &mut self,
        file: FileId,
        to: &str,
        meanwhile: impl AsyncFnOnce(&mut Peer),
    ) -> NtStatus {
        self.renames.close();
        let id = self.other.send(&renaming(file, to), 1).await;
        watched(self.renames.waiting(1)).await;
        meanwhile(&mut self.late).await;
        self.renames.open();
        self.other.answer(id).await.status()
    }

    async fn content(&mut self, name: &str) -> Result<Vec<u8>> {
        let file = self.other.create(&create(name, CreateDisposition::OPEN)).await?.file_id;
        let content = self.other.read(file, 0, 100).await;
        self.other.close(file).await?;
        content
    }
}

/// Renames `file`, whatever is there.
fn renaming(file: FileId, to: &str) -> SetInfoRequest {
    set_info(file, &RenameInformation { replace_if_exists: true, name: to.into() })
}

#[tokio::test]
async fn a_creator_who_is_refused_removes_nobodys_file() {
    for mut race in Race::all().await {
        let alone =
            CreateRequest { share_access: ShareAccess::NONE, ..create("f", CreateDisposition::OPEN_IF) };
        let refused = race.open_late(create("f", CreateDisposition::CREATE), async |other| {
            let found = other.create(&alone).await.unwrap();
            assert_eq!(found.action, CreateAction::OPENED);
            other.write(found.file_id, 0, b"kept").await.unwrap();
        });
        assert_eq!(refused.await.map(|_| ()), Err(NtStatus::SHARING_VIOLATION));
        let mut look = create("f", CreateDisposition::OPEN);
        look.desired_access = Access::READ_ATTRIBUTES;
        assert_eq!(race.other.create(&look).await.unwrap().end_of_file, 4);
    }
}

#[tokio::test]
async fn what_is_removed_while_it_is_opened_is_created_anew() {
    for name in ["f", "f:stream"] {
        for mut race in Race::all().await {
            let file = race.file_of(name, b"old").await;
            let opened = race.open_late(create(name, CreateDisposition::OPEN_IF), async |other| {
                set(other, file, &DispositionInformation { delete_pending: true }).await.unwrap();
                other.close(file).await.unwrap();
            });
            let opened = opened.await.unwrap();
            assert_eq!(opened.action, CreateAction::CREATED, "{name}");
            race.late.write(opened.file_id, 0, b"new").await.unwrap();
            assert_eq!(race.content(name).await.unwrap(), b"new");
        }
    }
}

#[tokio::test]
async fn what_is_replaced_while_it_is_opened_is_not_opened() {
    for mut race in Race::all().await {
        let old = race.file_of("f", b"old").await;
        race.other.close(old).await.unwrap();
        let new = race.file_of("g", b"new").await;
        let opened = race.open_late(create("f", CreateDisposition::OPEN), async |other| {
            other.call::<SetInfoResponse>(&renaming(new, "f")).await.unwrap();
        });
        let opened = opened.await.unwrap().file_id;
        assert_eq!(race.late.read(opened, 0, 10).await.unwrap(), b"new");
    }
}

#[tokio::test]
async fn an_open_that_fails_in_the_end_deletes_what_others_left_to_it() {
    let gate = Gate::opened();
    let full = Full { inner: MemoryShare::new(), gate: gate.clone() };
    let mut race = Race::over(full, gate, tempfile::tempdir().unwrap()).await;
    let file = race.file_of("f", b"old").await;
    let refused = race.open_late(create("f", CreateDisposition::OVERWRITE), async |other| {
        set(other, file, &DispositionInformation { delete_pending: true }).await.unwrap();
        other.close(file).await.unwrap();
    });
    assert_eq!(refused.await.map(|_| ()), Err(NtStatus::DISK_FULL));
    assert_eq!(race.content("f").await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
}

#[tokio::test]
async fn nobody_opens_what_is_being_replaced() {
    for mut race in Race::all().await {
        let old = race.file_of("f", b"old").await;
        race.other.close(old).await.unwrap();
        let new = race.file_of("g", b"new").await;
        let renamed = race.rename_late(new, "f", async |late| {
            let refused = late.create(&create("f", CreateDisposition::OPEN)).await;
            assert_eq!(refused.map(|_| ()), Err(NtStatus::DELETE_PENDING));
        });
        assert_eq!(renamed.await, NtStatus::SUCCESS);
        let opened = race.late.create(&create("f", CreateDisposition::OPEN)).await.unwrap();
        assert_eq!(race.late.read(opened.file_id, 0, 10).await.unwrap(), b"new");
    }
}

#[tokio::test]
async fn what_was_created_meanwhile_is_not_replaced() {
    for mut race in Race::all().await {
        let new = race.file_of("g", b"new").await;
        let renamed = race.rename_late(new, "f", async |late| {
            let file = late.file("f").await;
            late.write(file, 0, b"theirs").await.unwrap();
        });
        assert_eq!(renamed.await, NtStatus::ACCESS_DENIED);
        assert_eq!(race.content("f").await.unwrap(), b"theirs");
    }
}

#[tokio::test]
async fn what_took_the_place_of_what_was_to_be_replaced_is_asked_again() {
    for mut race in Race::all().await {
        let old = race.file_of("f", b"old").await;
        race.other.close(old).await.unwrap();
        let second = race.file_of("h", b"second").await;
        let first = race.late.file("g").await;
        race.gate.close();
        let id = race.late.send(&renaming(first, "f"), 1).await;
        // The directory is found, then the file.
        watched(race.gate.waiting(1)).await;
        race.gate.let_through(1);
        watched(race.gate.waiting(1)).await;
        race.other.call::<SetInfoResponse>(&renaming(second, "f")).await.unwrap();
        race.gate.open();
        assert_eq!(race.late.answer(id).await.status(), NtStatus::ACCESS_DENIED, "it is open");
        assert_eq!(race.content("f").await.unwrap(), b"second");
    }
}

#[tokio::test]
async fn what_is_not_replaced_is_not_taken_hold_of() {
    for mut race in Race::all().await {
        let directory = CreateRequest {
            options: CreateOptions::DIRECTORY_FILE,
            ..create("d", CreateDisposition::CREATE)
        };
        let made = race.other.create(&directory).await.unwrap();
        race.other.close(made.file_id).await.unwrap();
        let file = race.file_of("f", b"content").await;
        // The back end, which would refuse it too, is not asked.
        race.renames.close();
        let reply = watched(race.other.ask(&renaming(file, "d"))).await;
        assert_eq!(reply.status(), NtStatus::ACCESS_DENIED);
    }
}
