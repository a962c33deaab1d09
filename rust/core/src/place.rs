//! Where a run, or a version, stands in the serial order.

use std::cmp::Ordering;
use std::sync::Arc;

/// A position in the serial order.
///
/// A top-level run stands at `(5)`. What happens inside it (children, mid-run commits) stands at `(5, 0)`, `(5, 1)`
/// and so on, which is before `(5)` itself: the end of the list counts as infinity. So the run's own final writes come
/// after everything its children committed, and `(4) < (5, 0) < (5, 1, 7) < (5, 1) < (5) < (6, 0)`.
///
/// A top-level place needs no allocation; that of a child shares its list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    seq: u64,
    sub: Option<Arc<[u64]>>,
}

impl Place {
    /// The place of the `seq`-th top-level run.
    #[must_use]
    pub const fn top(seq: u64) -> Self {
        Self { seq, sub: None }
    }

    /// The `index`-th place inside this one.
    #[must_use]
    pub fn inside(&self, index: u64) -> Self {
        let sub = self.steps().iter().copied().chain([index]).collect();
        Self {
            seq: self.seq,
            sub: Some(sub),
        }
    }

    /// The first number: that of the top-level run.
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    fn steps(&self) -> &[u64] {
        self.sub.as_deref().unwrap_or_default()
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        // Most places are top-level ones of different runs, so the lists are rarely looked at.
        self.seq.cmp(&other.seq).then_with(|| {
            let (mine, theirs) = (self.steps(), other.steps());
            let common = mine.iter().zip(theirs).find(|(a, b)| a != b);
            // The list that ends first is the later one, hence the lengths are compared the other way round.
            common.map_or_else(|| theirs.len().cmp(&mine.len()), |(a, b)| a.cmp(b))
        })
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn end_of_list_counts_as_infinity() {
        let five = Place::top(5);
        let order = [
            Place::top(4),
            five.inside(0),
            five.inside(1).inside(7),
            five.inside(1),
            five.inside(2),
            five,
            Place::top(6).inside(0),
        ];
        assert!(order.is_sorted());
        assert!(order.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
