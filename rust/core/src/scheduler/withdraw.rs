//! A run is taken back as if it had not been submitted.

use super::Scheduler;
use super::types::{Effects, Ticket};

impl<V: Clone> Scheduler<V> {
    /// Ends a run that must leave no trace: nothing is committed and nothing is failed. Its readers see what was there
    /// before it. For a run whose submission is refused after admission, such as one that would close a circle.
    ///
    /// Does nothing if there is no such unfinished run.
    pub fn withdraw(&mut self, ticket: Ticket) -> Effects<V> {
        let mut effects = Effects::new(ticket.number());
        let Some(run) = self.runs.remove(ticket) else {
            return effects;
        };
        if !run.superseded {
            for &(output, _) in &run.contract.outputs {
                self.store.withdraw(output, &run.place);
            }
        }
        let mut queue = Vec::new();
        self.leave(ticket, run, &mut queue, &mut effects);
        self.wake(queue, &mut effects);
        effects.sorted()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Access, Admission, End, Present, Scheduler, Ticket};

    #[test]
    fn a_withdrawn_run_leaves_no_trace() {
        let mut scheduler: Scheduler<u32> = Scheduler::new();
        let path = [Access::required("domain.a")];
        let writes = scheduler.compile(&[], &path);
        let reads = scheduler.compile(&path, &[]);
        let first = scheduler.admit(writes, None).map(|a| a.ticket);
        let node = scheduler.node("domain.a");
        let first = first.unwrap_or(Ticket(0));
        assert!(
            scheduler
                .finish(first, End::Committed(vec![(node, 1)]))
                .is_ok()
        );
        let second = scheduler.admit(writes, None).map_or(first, |a| a.ticket);
        let reader = scheduler.admit(reads, None);
        assert!(matches!(
            reader.as_ref().map(|r| &r.admission),
            Ok(Admission::Waiting)
        ));
        let effects = scheduler.withdraw(second);
        assert_eq!(
            effects.ready,
            reader.map(|r| vec![r.ticket]).unwrap_or_default()
        );
        assert!(matches!(
            scheduler.present("domain.a"),
            Present::Leaf { value: 1, .. }
        ));
    }
}
