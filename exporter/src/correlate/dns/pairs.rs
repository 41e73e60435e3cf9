//! Queries that wait for their responses, in the order in which they were asked.
//!
//! Bounded in number and in memory: the oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::dns::Message;
use crate::flow::Timestamp;

/// Queries with one key that wait at the same time: repeated ones, or many of one id.
const SAME_KEY_MAX: usize = 16;

/// A query that waits no more.
#[derive(Debug)]
pub(super) struct Query<K, X> {
    pub(super) key: K,
    pub(super) message: Message,
    /// Who asked, as its maker knows it.
    pub(super) by: X,
    /// A response came while it waited, to the same question asked earlier.
    pub(super) is_repeated: bool,
}

#[derive(Debug)]
struct Waiting<X> {
    serial: u64,
    message: Message,
    by: X,
    is_repeated: bool,
}

/// `K` is what query and response have in common beside the question; `X` is who asked.
#[derive(Debug)]
pub(super) struct Pairs<K, X> {
    waiting: HashMap<K, VecDeque<Waiting<X>>>,
    /// When what was asked; those that were answered have left their place behind.
    order: VecDeque<(Timestamp, K, u64)>,
    asked: u64,
    cost: usize,
    max: usize,
    max_bytes: usize,
}

impl<K: Copy + Eq + Hash, X> Pairs<K, X> {
    pub(super) fn new(max: usize, max_bytes: usize) -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new(), asked: 0, cost: 0, max, max_bytes }
    }

    /// About how many bytes of memory the queries take.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Lets a query wait, after [`Self::make_room`].
    pub(super) fn ask(&mut self, key: K, message: Message, by: X) {
        self.asked += 1;
        self.cost += message.cost();
        self.order.push_back((message.at, key, self.asked));
        let waiting = Waiting { serial: self.asked, message, by, is_repeated: false };
        self.waiting.entry(key).or_default().push_back(waiting);
    }

    /// The oldest query if it must go before another with this key can wait.
    pub(super) fn make_room(&mut self, key: &K) -> Option<Query<K, X>> {
        let same = self.waiting.get(key)?;
        if same.len() >= SAME_KEY_MAX {
            let serial = same.front()?.serial;
            return self.take(*key, serial);
        }
        None
    }

    /// The oldest query if there are more than may wait; to be called until there is none.
    pub(super) fn over_limits(&mut self) -> Option<Query<K, X>> {
        while self.order.len() > self.max || self.cost > self.max_bytes {
            let (_, key, serial) = self.order.pop_front()?;
            if let Some(query) = self.take(key, serial) {
                return Some(query);
            }
        }
        None
    }

    /// Whether a query with this key waits.
    pub(super) fn is_waiting(&self, key: &K) -> bool {
        self.waiting.contains_key(key)
    }

    /// The query that `response` answers.
    pub(super) fn answer(&mut self, key: K, response: &Message) -> Option<Query<K, X>> {
        let same = self.waiting.get_mut(&key)?;
        let mut serial = None;
        for waiting in same.iter_mut().filter(|waiting| answers(response, &waiting.message)) {
            match serial {
                None => serial = Some(waiting.serial),
                Some(_) => waiting.is_repeated = true,
            }
        }
        self.take(key, serial?)
    }

    /// A query that was asked before `limit`; to be called until there is none.
    pub(super) fn overdue(&mut self, limit: Timestamp) -> Option<Query<K, X>> {
        while self.order.front().is_some_and(|(at, ..)| *at < limit) {
            let (_, key, serial) = self.order.pop_front()?;
            if let Some(query) = self.take(key, serial) {
                return Some(query);
            }
        }
        None
    }

    fn take(&mut self, key: K, serial: u64) -> Option<Query<K, X>> {
        let same = self.waiting.get_mut(&key)?;
        let index = same.iter().position(|waiting| waiting.serial == serial)?;
        let Waiting { message, by, is_repeated, .. } = same.remove(index)?;
        if same.is_empty() {
            self.waiting.remove(&key);
        }
        self.cost = self.cost.saturating_sub(message.cost());
        Some(Query { key, message, by, is_repeated })
    }
}

/// Whether the two are of one lookup. A server that did not understand may leave the question out
/// (RFC 9619 section 4); one that did repeats it, but may change the case of letters.
fn answers(response: &Message, query: &Message) -> bool {
    if response.flags.opcode() != query.flags.opcode() {
        return false;
    }
    let (answered, asked) = (&response.questions, &query.questions);
    answered.is_empty()
        || answered.len() == asked.len()
            && answered.iter().zip(asked).all(|(one, other)| {
                (one.rtype, one.class) == (other.rtype, other.class)
                    && one.name.eq_ignore_ascii_case(&other.name)
            })
}
