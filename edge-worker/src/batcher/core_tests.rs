//! Neither loses nor duplicates, whatever crashes when: the core against a model of storage and of the stream.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::*;
use weir_event::model::Event;

use super::*;

/// Storage of which unsynced turns may vanish, the last ones first.
#[derive(Default, Clone)]
struct Disk {
    durable: Tables,
    unsynced: Vec<Vec<Write>>,
}

#[derive(Default, Clone)]
struct Tables {
    pending: BTreeMap<i64, Chunk>,
    batches: BTreeMap<i64, (String, Chunk)>,
}

impl Tables {
    fn perform(&mut self, write: &Write) {
        match write {
            Write::InsertPending { id, chunk } => assert!(self.pending.insert(*id, chunk.clone()).is_none()),
            Write::InsertBatch { id, message_id, chunk } => {
                assert!(self.batches.insert(*id, (message_id.clone(), chunk.clone())).is_none());
            }
            Write::FormBatch { id, message_id, head, through_id, events, oldest_ms } => {
                let later = self.pending.split_off(&(through_id + 1));
                let formed = std::mem::replace(&mut self.pending, later);
                let mut bytes = head.clone();
                for chunk in formed.values() {
                    bytes.extend(&chunk.bytes);
                }
                assert_eq!(*events, formed.values().map(|chunk| chunk.events).sum::<u32>());
                let chunk = Chunk { bytes, events: *events, oldest_ms: *oldest_ms };
                assert!(self.batches.insert(*id, (message_id.clone(), chunk)).is_none());
            }
            Write::DeleteBatch { id } => assert!(self.batches.remove(id).is_some()),
        }
    }
}

impl Disk {
    fn now(&self) -> Tables {
        let mut tables = self.durable.clone();
        self.unsynced.iter().flatten().for_each(|write| tables.perform(write));
        tables
    }

    fn sync(&mut self) {
        self.durable = self.now();
        self.unsynced.clear();
    }

    fn crash(&mut self, kept_turns: usize) {
        self.unsynced.truncate(kept_turns);
        self.sync();
    }
}

/// The batcher, its storage, and the stream that drops message ids it has seen.
struct World {
    disk: Disk,
    core: Core,
    starts: u8,
    clock_ms: u64,
    next_event: u64,
    commit: Option<Commit>,
    forming: Option<Forming>,
    /// Events of each append that is not answered yet.
    open: HashMap<Ticket, Vec<u64>>,
    acknowledged: HashSet<u64>,
    stream: Vec<(String, Vec<u8>)>,
    published: HashMap<String, Vec<u8>>,
}

fn core(start: u8, tables: &Tables) -> Core {
    let pending = tables.pending.iter().map(|(id, chunk)| row(*id, chunk)).collect();
    let batches =
        tables.batches.iter().map(|(id, (message_id, chunk))| Batch { row: row(*id, chunk), message_id: message_id.clone() });
    Core::restore("local/0/0".into(), vec![start; 16], usize::MAX, pending, batches.collect())
}

impl World {
    fn new() -> Self {
        Self {
            disk: Disk::default(),
            core: core(0, &Tables::default()),
            starts: 0,
            clock_ms: 1_000,
            next_event: 1,
            commit: None,
            forming: None,
            open: HashMap::new(),
            acknowledged: HashSet::new(),
            stream: Vec::new(),
            published: HashMap::new(),
        }
    }

    fn append(&mut self, events: u64, padding: usize) {
        let ids: Vec<u64> = (0..events).map(|n| self.next_event + n).collect();
        self.next_event += events;
        let mut chunk = Chunk { bytes: Vec::new(), events: events as u32, oldest_ms: self.clock_ms };
        for id in &ids {
            let event = Event { id_low: *id, received_ms: self.clock_ms, referrer: "x".repeat(padding), ..Event::default() };
            codec::append_event(&event, &mut chunk.bytes);
        }
        let ticket = self.core.append(vec![chunk]).unwrap();
        self.open.insert(ticket, ids);
    }

    fn start_commit(&mut self) {
        if let Some(commit) = self.core.start_commit(self.clock_ms) {
            self.disk.unsynced.push(commit.writes.clone());
            assert!(self.commit.replace(commit).is_none());
        }
    }

    fn finish_commit(&mut self) {
        if let Some(commit) = self.commit.take() {
            self.disk.sync();
            for ticket in &commit.tickets {
                self.acknowledged.extend(self.open.remove(ticket).unwrap());
            }
            self.core.finish_commit(commit);
        }
    }

    fn send(&mut self, ack_arrives: bool) {
        if self.forming.is_some() {
            return;
        }
        match self.core.next_step(self.clock_ms) {
            Step::Idle => {}
            Step::Form(forming) => {
                self.disk.unsynced.push(vec![forming.write.clone()]);
                self.forming = Some(forming);
            }
            Step::Send(batch) => {
                let (message_id, chunk) = self.disk.durable.batches[&batch.row.id].clone();
                assert_eq!((&message_id, chunk.bytes.len()), (&batch.message_id, batch.row.bytes), "sent before it was durable");
                let first = self.published.entry(message_id.clone()).or_insert_with(|| chunk.bytes.clone());
                assert_eq!(*first, chunk.bytes, "a retry sent other bytes");
                if !self.stream.iter().any(|(id, _)| *id == message_id) {
                    self.stream.push((message_id, chunk.bytes));
                }
                if ack_arrives {
                    let write = self.core.acknowledged(batch.row.id).unwrap();
                    self.disk.unsynced.push(vec![write]);
                }
            }
        }
    }

    fn finish_forming(&mut self) {
        if let Some(forming) = self.forming.take() {
            self.disk.sync();
            self.core.finish_forming(forming);
        }
    }

    fn crash(&mut self, kept_turns: usize) {
        self.disk.crash(kept_turns);
        self.starts += 1;
        (self.commit, self.forming) = (None, None);
        self.open.clear();
        self.core = core(self.starts, &self.disk.durable);
    }

    fn drain(&mut self) {
        for _ in 0..10_000 {
            self.start_commit();
            self.finish_commit();
            self.finish_forming();
            if self.core.is_empty() {
                return;
            }
            self.send(true);
        }
        panic!("never empty: {:?}", self.core);
    }

    fn check(&self) {
        let mut stored = HashSet::new();
        let mut numbers: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for (message_id, bytes) in &self.stream {
            let batch = codec::decode(1, bytes).expect("a batch on the stream can be read");
            assert_eq!(*message_id, weir_event::subject::message_id(&batch.producer, batch.number));
            let last = numbers.insert(batch.producer.clone(), batch.number);
            assert_eq!(batch.number, last.unwrap_or(0) + 1, "numbers jump");
            assert!(!batch.events.is_empty());
            assert!(bytes.len() <= codec::BATCH_BYTES_MAX);
            for event in &batch.events {
                assert!(stored.insert(event.id_low), "event {} is stored twice", event.id_low);
            }
        }
        let lost: BTreeSet<_> = self.acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged but lost: {lost:?}");
    }
}

#[derive(Debug, Clone)]
enum Op {
    Append { events: u64, padding: usize },
    StartCommit,
    FinishCommit,
    Send { ack_arrives: bool },
    FinishForming,
    Crash { kept_turns: usize },
    Tick { ms: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1_u64..5, prop_oneof![9 => 0_usize..50, 1 => 30_000_usize..90_000]).prop_map(|(events, padding)| Op::Append { events, padding }),
        4 => Just(Op::StartCommit),
        4 => Just(Op::FinishCommit),
        6 => any::<bool>().prop_map(|ack_arrives| Op::Send { ack_arrives }),
        4 => Just(Op::FinishForming),
        1 => (0_usize..4).prop_map(|kept_turns| Op::Crash { kept_turns }),
        1 => (1_u64..1_000).prop_map(|ms| Op::Tick { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn neither_loses_nor_duplicates(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in ops {
            match op {
                Op::Append { events, padding } => world.append(events, padding),
                Op::StartCommit => world.start_commit(),
                Op::FinishCommit => world.finish_commit(),
                Op::Send { ack_arrives } => world.send(ack_arrives),
                Op::FinishForming => world.finish_forming(),
                Op::Crash { kept_turns } => world.crash(kept_turns),
                Op::Tick { ms } => world.clock_ms += ms,
            }
        }
        world.drain();
        world.check();
        prop_assert_eq!((world.core.unsent_events(), world.core.backlog_bytes(), world.core.oldest_unsent_ms()), (0, 0, 0));
    }
}

#[test]
fn a_lone_append_is_a_batch_after_one_trip_to_storage() {
    let mut world = World::new();
    world.append(2, 0);
    world.start_commit();
    world.finish_commit();
    world.send(true);
    assert_eq!(world.stream.len(), 1);
    assert!(world.core.is_empty());
    world.check();
}

#[test]
fn a_retry_sends_the_same_bytes_although_more_came() {
    let mut world = World::new();
    world.append(1, 0);
    world.start_commit();
    world.finish_commit();
    world.send(false);
    world.append(1, 0);
    world.start_commit();
    world.finish_commit();
    world.crash(9);
    world.send(false);
    assert_eq!(world.stream.len(), 1);
    world.drain();
    assert_eq!(world.stream.len(), 2);
    world.check();
}

#[test]
fn batches_name_the_oldest_event_left_behind() {
    let mut world = World::new();
    let decoded = |world: &World, index: usize| codec::decode(1, &world.stream[index].1).unwrap();
    world.append(1, 0);
    world.start_commit();
    world.finish_commit();
    world.send(false);
    world.clock_ms = 2_000;
    world.append(1, 0);
    world.start_commit();
    world.clock_ms = 3_000;
    world.append(1, 0);
    assert_eq!((world.core.oldest_unsent_ms(), world.core.unsent_events()), (1_000, 3));
    world.finish_commit();
    world.send(true);
    world.send(true);
    world.finish_forming();
    world.send(true);
    world.drain();
    assert_eq!([0, 1, 2].map(|i| decoded(&world, i).oldest_unsent_ms), [0, 3_000, 0]);
    assert_eq!(decoded(&world, 1).formed_ms, 3_000);
}

#[test]
fn large_groups_become_several_batches() {
    let mut world = World::new();
    for _ in 0..30 {
        world.append(1, 100_000);
    }
    world.drain();
    assert!(world.stream.iter().all(|(_, bytes)| bytes.len() <= BATCH_TARGET_BYTES + 100));
    assert_eq!(world.stream.len(), 6);
    world.check();
}

#[test]
fn plans_of_a_state_that_was_given_up_are_ignored() {
    let mut world = World::new();
    for _ in 0..2 {
        world.append(1, 0);
        world.start_commit();
        world.finish_commit();
    }
    world.send(true);
    world.send(false);
    let (stale, turns) = (world.forming.take().unwrap(), world.disk.unsynced.len());
    world.crash(turns);
    world.append(1, 0);
    world.start_commit();
    world.finish_commit();
    world.core.finish_forming(stale);
    world.drain();
    assert_eq!(world.stream.len(), 3);
    world.check();
}

#[test]
fn the_backlog_has_a_limit() {
    let mut core = Core::restore("b".into(), vec![1; 16], 100, vec![Row { id: 7, bytes: 60, events: 1, oldest_ms: 5 }], vec![]);
    let chunk = |bytes| vec![Chunk { bytes: vec![0x32; bytes], events: 1, oldest_ms: 9 }];
    assert_eq!(core.append(chunk(41)), Err(Full { backlog_bytes: 60, limit_bytes: 100 }));
    assert!(core.append(chunk(40)).is_ok());
    assert_eq!(core.append(chunk(1)), Err(Full { backlog_bytes: 100, limit_bytes: 100 }));
    assert_eq!((core.oldest_unsent_ms(), core.unsent_events()), (5, 2));
    let commit = core.start_commit(10).unwrap();
    assert!(matches!(commit.writes.as_slice(), [Write::InsertPending { id: 8, .. }]), "keys go on after what storage holds");
}
