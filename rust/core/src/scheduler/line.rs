//! Unfinished runs in a line, sorted by place.

use std::collections::VecDeque;

use super::types::Ticket;
use crate::place::Place;

/// Stands where a run has left; no run has this number.
const GONE: Ticket = Ticket(0);

/// Runs sorted by place. They join at the back, nearly always, and leave anywhere.
///
/// Who leaves from the middle only leaves a gap; gaps are closed when there are as many as runs. So joining and leaving cost
/// a search at most, and a lone run costs no allocation once the line has been used, which a tree would.
#[derive(Default)]
pub(crate) struct Line {
    places: VecDeque<(Place, Ticket)>,
    /// The first number of each place, apart, so that a search touches little memory.
    keys: VecDeque<u64>,
    gaps: usize,
}

impl Line {
    /// Whether the run was not in the line yet.
    pub(crate) fn join(&mut self, place: &Place, ticket: Ticket) -> bool {
        if self.places.back().is_none_or(|(last, _)| last < place) {
            self.places.push_back((place.clone(), ticket));
            self.keys.push_back(place.seq());
            return true;
        }
        match self.find(place) {
            Ok(at) => match self.places.get_mut(at) {
                Some(entry) if entry.1 == GONE => {
                    entry.1 = ticket;
                    self.gaps -= 1;
                    true
                }
                _ => false,
            },
            Err(at) => {
                self.places.insert(at, (place.clone(), ticket));
                self.keys.insert(at, place.seq());
                true
            }
        }
    }

    /// Whether the run was in the line.
    pub(crate) fn leave(&mut self, place: &Place) -> bool {
        if self.places.front().is_some_and(|(first, _)| first == place) {
            self.pop_front();
        } else if self.places.back().is_some_and(|(last, _)| last == place) {
            self.pop_back();
        } else {
            let found = self.find(place).ok().and_then(|at| self.places.get_mut(at));
            let Some(entry) = found.filter(|entry| entry.1 != GONE) else {
                return false;
            };
            entry.1 = GONE;
            self.gaps += 1;
        }
        if self.gaps > 0 {
            self.close_gaps();
        }
        true
    }

    /// The ends are never gaps, and at most every other entry is one.
    fn close_gaps(&mut self) {
        while self
            .places
            .front()
            .is_some_and(|&(_, ticket)| ticket == GONE)
        {
            self.pop_front();
            self.gaps -= 1;
        }
        while self
            .places
            .back()
            .is_some_and(|&(_, ticket)| ticket == GONE)
        {
            self.pop_back();
            self.gaps -= 1;
        }
        if self.gaps * 2 > self.places.len() {
            self.places.retain(|&(_, ticket)| ticket != GONE);
            self.keys.clear();
            self.keys.extend(self.places.iter().map(|(at, _)| at.seq()));
            self.gaps = 0;
        }
    }

    /// Everybody, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = Ticket> {
        let tickets = self.places.iter().map(|&(_, ticket)| ticket);
        tickets.filter(|&ticket| ticket != GONE)
    }

    /// Those strictly after a place, in order.
    pub(crate) fn after(&self, place: &Place) -> impl Iterator<Item = (&Place, Ticket)> {
        let nobody = self.places.back().is_none_or(|(last, _)| last <= place);
        let from = if nobody {
            self.places.len()
        } else {
            self.find(place).map_or_else(|at| at, |at| at + 1)
        };
        let tickets = self.places.range(from..).map(|(at, ticket)| (at, *ticket));
        tickets.filter(|&(_, ticket)| ticket != GONE)
    }

    /// Those strictly between two places, in order.
    pub(crate) fn between<'a>(
        &'a self,
        after: &'a Place,
        before: &'a Place,
    ) -> impl Iterator<Item = Ticket> {
        let tickets = self.after(after).take_while(move |(at, _)| *at < before);
        tickets.map(|(_, ticket)| ticket)
    }

    fn find(&self, place: &Place) -> Result<usize, usize> {
        let key = place.seq();
        let at = self.keys.partition_point(|&known| known < key);
        match self.places.get(at) {
            Some((known, _)) if known == place => Ok(at),
            // What happens inside one run shares its number.
            Some((known, _)) if known < place => {
                self.places.binary_search_by(|(known, _)| known.cmp(place))
            }
            _ => Err(at),
        }
    }

    fn pop_front(&mut self) {
        self.places.pop_front();
        self.keys.pop_front();
    }

    fn pop_back(&mut self) {
        self.places.pop_back();
        self.keys.pop_back();
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use crate::place::Place;
    use crate::scheduler::Ticket;

    fn line(count: u64) -> Line {
        let mut line = Line::default();
        for at in 1..=count {
            assert!(line.join(&Place::top(at), Ticket(at)));
        }
        line
    }

    #[test]
    fn gaps_are_neither_seen_nor_kept() {
        let mut line = line(9);
        for at in [5, 4, 6, 1, 9, 2] {
            assert!(line.leave(&Place::top(at)));
            assert!(!line.leave(&Place::top(at)));
        }
        assert_eq!(
            line.all().collect::<Vec<_>>(),
            [Ticket(3), Ticket(7), Ticket(8)]
        );
        assert!(line.places.len() <= 6);
        let (three, eight) = (Place::top(3), Place::top(8));
        assert_eq!(
            line.between(&three, &eight).collect::<Vec<_>>(),
            [Ticket(7)]
        );
        assert_eq!(line.between(&eight, &three).count(), 0);
    }

    #[test]
    fn joining_twice_is_one_entry_and_a_child_joins_in_the_middle() {
        let mut line = line(3);
        let child = Place::top(2).inside(0);
        assert!(line.join(&child, Ticket(7)));
        assert!(!line.join(&child, Ticket(7)));
        assert_eq!(
            line.all().map(Ticket::number).collect::<Vec<_>>(),
            [1, 7, 2, 3]
        );
        assert!(line.leave(&child));
        assert!(line.join(&child, Ticket(8)));
        assert_eq!(line.all().count(), 4);
    }
}
