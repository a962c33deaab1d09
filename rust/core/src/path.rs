//! Dotted paths, interned once into a tree so that the scheduler only ever handles small numbers.

use std::collections::HashMap;
use std::sync::Arc;

/// An interned path. Valid only with the scheduler that made it; another one refuses it or takes it for a path of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// The node above all zones; its path is the empty string.
pub(crate) const ROOT: NodeId = NodeId(0);

impl NodeId {
    /// The position of this node's data in a vector with one entry per node.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What [`PathTree::find`] found of a path.
pub(crate) enum Found {
    /// The path itself.
    Exact(NodeId),
    /// Only this ancestor of it: nobody has ever named the path.
    Above(NodeId),
}

/// What every walk needs, apart from the rest so that it stays in the cache.
#[derive(Clone, Copy)]
struct Link {
    parent: NodeId,
    depth: u32,
}

struct Branch {
    full: Arc<str>,
    children: Vec<NodeId>,
}

/// All paths ever named. Nodes are never removed: a session names a bounded number of paths.
pub(crate) struct PathTree {
    links: Vec<Link>,
    branches: Vec<Branch>,
    index: HashMap<Arc<str>, NodeId>,
}

impl PathTree {
    pub(crate) fn new() -> Self {
        let full: Arc<str> = Arc::from("");
        let root = Branch {
            full: Arc::clone(&full),
            children: Vec::new(),
        };
        let link = Link {
            parent: ROOT,
            depth: 0,
        };
        Self {
            links: vec![link],
            branches: vec![root],
            index: HashMap::from([(full, ROOT)]),
        }
    }

    /// The node of `path`, made on first use together with its ancestors. Any string will do: spelling is not judged.
    pub(crate) fn intern(&mut self, path: &str) -> NodeId {
        if let Some(&known) = self.index.get(path) {
            return known;
        }
        prefixes(path).fold(ROOT, |parent, prefix| {
            let known = self.index.get(prefix).copied();
            known.unwrap_or_else(|| self.add(parent, prefix))
        })
    }

    fn add(&mut self, parent: NodeId, full: &str) -> NodeId {
        // Four thousand million paths do not fit into memory, so the number cannot run out first.
        let node = NodeId(u32::try_from(self.branches.len()).unwrap_or(u32::MAX));
        let full: Arc<str> = Arc::from(full);
        let depth = self.depth(parent) + 1;
        self.links.push(Link { parent, depth });
        self.branches[parent.index()].children.push(node);
        self.branches.push(Branch {
            full: Arc::clone(&full),
            children: Vec::new(),
        });
        self.index.insert(full, node);
        node
    }

    /// Looks `path` up without interning it.
    pub(crate) fn find(&self, path: &str) -> Found {
        if let Some(&node) = self.index.get(path) {
            return Found::Exact(node);
        }
        let known = prefixes(path).map_while(|prefix| self.index.get(prefix));
        Found::Above(known.last().copied().unwrap_or(ROOT))
    }

    pub(crate) fn len(&self) -> usize {
        self.branches.len()
    }

    /// The node above `node`; `None` for the root.
    pub(crate) fn parent(&self, node: NodeId) -> Option<NodeId> {
        (node != ROOT).then(|| self.links[node.index()].parent)
    }

    /// `node` and everything above it, the root last.
    pub(crate) fn upward(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(node), |&at| self.parent(at))
    }

    pub(crate) fn depth(&self, node: NodeId) -> u32 {
        self.links[node.index()].depth
    }

    pub(crate) fn full(&self, node: NodeId) -> &Arc<str> {
        &self.branches[node.index()].full
    }

    /// The last segment of the node's path.
    pub(crate) fn name(&self, node: NodeId) -> &str {
        let full: &str = self.full(node);
        full.rsplit_once('.').map_or(full, |(_, name)| name)
    }

    /// The children of `node` in the order in which they were first named.
    pub(crate) fn children(&self, node: NodeId) -> &[NodeId] {
        &self.branches[node.index()].children
    }

    /// Whether `above` is `node` itself or an ancestor of it.
    pub(crate) fn covers(&self, above: NodeId, node: NodeId) -> bool {
        let depth = self.depth(above);
        let level = self.upward(node).find(|&at| self.depth(at) <= depth);
        level == Some(above)
    }
}

/// `a`, `a.b`, `a.b.c` of `a.b.c`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let dots = path.match_indices('.').map(|(at, _)| at);
    dots.chain([path.len()]).map(|end| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::{Found, PathTree, ROOT};

    #[test]
    fn interning_makes_ancestors_once() {
        let mut tree = PathTree::new();
        let leaf = tree.intern("a.b.c");
        let branch = tree.intern("a.b");
        assert_eq!(tree.parent(leaf), Some(branch));
        assert_eq!(tree.intern("a.b.c"), leaf);
        assert_eq!((tree.len(), tree.depth(leaf)), (4, 3));
        assert_eq!((tree.name(leaf), &**tree.full(leaf)), ("c", "a.b.c"));
        assert_eq!(tree.upward(leaf).last(), Some(ROOT));
        assert!(tree.covers(branch, leaf) && tree.covers(leaf, leaf) && !tree.covers(leaf, branch));
    }

    #[test]
    fn find_does_not_intern() {
        let mut tree = PathTree::new();
        let a = tree.intern("a");
        assert!(matches!(tree.find("a.x.y"), Found::Above(node) if node == a));
        assert!(matches!(tree.find("a"), Found::Exact(node) if node == a));
        assert!(matches!(tree.find("ab"), Found::Above(ROOT)));
        assert_eq!(tree.len(), 2);
    }
}
