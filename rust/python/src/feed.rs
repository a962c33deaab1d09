//! What the timeline reads: see `theus_core::feed`.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use theus_core::span::Span;

use crate::engine::Engine;
use crate::run::{Lane, Run};

/// How many changes a late reader can catch up with: about 100,000 runs.
pub const CHANGES: usize = 1 << 18;

/// `(cursor, lost, rows, reads, bytes, names)`.
type Packed<'py> = (u64, u64, usize, usize, Bound<'py, PyBytes>, Vec<String>);

impl Run {
    /// Tells the feed where the run stands, if anybody reads it.
    pub fn feed(&self, parent: Option<u64>) {
        let engine = self.engine.get();
        if !engine.feed.is_open() {
            return;
        }
        let Some(known) = self.definition() else {
            return;
        };
        let span = {
            let state = self.state();
            let lane = match (&self.lane, &state.lane_label) {
                (_, Some(label)) => label.clone(),
                (Lane::Loop, None) => engine.loop_label(),
                (Lane::Worker { .. }, None) => "".into(),
            };
            Span {
                run: self.number(),
                parent,
                process: known.name.clone(),
                lane,
                status: state.status,
                submitted: state.submitted,
                started: state.started,
                ended: state.ended,
                cpu: None,
                waited: None,
            }
        };
        engine.feed.span(&span);
    }
}

/// The reading end of an engine's feed.
#[pyclass(frozen, module = "theus_nb._core")]
pub struct Feed {
    engine: Py<Engine>,
}

#[pymethods]
impl Feed {
    #[new]
    fn new(engine: Py<Engine>) -> Self {
        Self { engine }
    }

    /// Starts to keep what becomes of runs, beginning with those on record.
    fn open(&self, py: Python<'_>) {
        let engine = self.engine.get();
        if engine.feed.is_open() {
            return;
        }
        engine.feed.open();
        let (spans, unfinished) = {
            let core = engine.core();
            let spans: Vec<Span> = core.spans.iter().cloned().collect();
            let runs = core.runs.values();
            let unfinished: Vec<_> = runs.map(|e| (e.run.clone_ref(py), e.parent)).collect();
            (spans, unfinished)
        };
        for span in &spans {
            engine.feed.span(span);
        }
        for (run, parent) in unfinished {
            run.get().feed(parent);
        }
    }

    /// Stops to keep it.
    fn close(&self) {
        self.engine.get().feed.close();
    }

    /// From where to read the newest changes alone.
    fn before(&self, changes: usize) -> u64 {
        self.engine.get().feed.before(changes)
    }

    /// What has become of runs since a cursor, packed.
    fn read<'py>(
        &self,
        py: Python<'py>,
        cursor: u64,
        known_names: usize,
        limit: usize,
    ) -> Packed<'py> {
        let feed = &self.engine.get().feed;
        let packed = py.detach(|| feed.read(cursor, known_names, limit));
        (
            packed.cursor,
            packed.lost,
            packed.rows,
            packed.reads,
            PyBytes::new(py, &packed.bytes),
            packed.names.iter().map(ToString::to_string).collect(),
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)
    }
}
