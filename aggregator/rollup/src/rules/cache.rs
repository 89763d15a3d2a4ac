//! A bounded cache of pure answers, in two generations: when the young one is full, it becomes the old one and the old one goes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Cache<V> {
    generations: Mutex<Generations<V>>,
    entries_max: usize,
    key_bytes_max: usize,
}

#[derive(Debug)]
struct Generations<V> {
    young: HashMap<Box<str>, Arc<V>>,
    old: HashMap<Box<str>, Arc<V>>,
}

impl<V> Cache<V> {
    /// At most `2 × entries_max` entries, with keys of at most `key_bytes_max`.
    pub(super) fn new(entries_max: usize, key_bytes_max: usize) -> Self {
        let generations = Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() });
        Self { generations, entries_max, key_bytes_max }
    }

    /// The kept answer, or a new one, made without holding the lock.
    pub(super) fn get_or_insert(&self, key: &str, make: impl FnOnce() -> V) -> Arc<V> {
        if key.len() > self.key_bytes_max {
            return Arc::new(make());
        }
        if let Some(value) = self.get(key) {
            return value;
        }
        let value = Arc::new(make());
        self.insert(key, Arc::clone(&value));
        value
    }

    fn get(&self, key: &str) -> Option<Arc<V>> {
        let mut generations = self.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(Arc::clone(value));
        }
        let (key, value) = generations.old.remove_entry(key)?;
        self.put(&mut generations, key, Arc::clone(&value));
        Some(value)
    }

    fn insert(&self, key: &str, value: Arc<V>) {
        self.put(&mut self.lock(), key.into(), value);
    }

    fn put(&self, generations: &mut Generations<V>, key: Box<str>, value: Arc<V>) {
        if generations.young.len() >= self.entries_max {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, value);
    }

    /// A panic elsewhere cannot leave the maps half changed.
    fn lock(&self) -> MutexGuard<'_, Generations<V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let cache = Cache::new(10, 20);
        let mut made = 0;
        for number in 0..1000 {
            cache.get_or_insert(&number.to_string(), || number);
            cache.get_or_insert("often", || {
                made += 1;
                -1
            });
        }
        assert_eq!(made, 1);
        let generations = cache.lock();
        assert!(generations.young.len() + generations.old.len() <= 20);
    }

    #[test]
    fn long_keys_are_answered_and_not_kept() {
        let cache = Cache::new(10, 3);
        assert_eq!(*cache.get_or_insert("long key", || 1), 1);
        assert_eq!(*cache.get_or_insert("long key", || 2), 2);
    }
}
