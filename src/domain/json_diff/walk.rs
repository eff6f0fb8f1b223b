//! Through two documents at once, noting what differs.

use std::cmp::Ordering;

use super::{
    Fragment, MAX_OPERATIONS, Operation,
    align::{Edit, align},
    text,
    tree::{Index, Kind, Members, Tree},
};

/// Comparisons that the alignment of all arrays may make together.
const WORK: usize = 50_000_000;

/// How long the shortest bound on the length of a patch is, in bytes.
const LEAST_LENGTH: usize = 1 << 20;

/// There are more operations than a patch may have, or they are too long.
struct Overflow;

pub(super) struct Walk<'t, 'a> {
    from: &'t Tree<'t>,
    to: &'t Tree<'a>,
    /// Where the walk is, as a JSON Pointer.
    path: String,
    operations: Vec<Operation<'a>>,
    /// How long the operations are as text.
    length: usize,
    /// How long they may be.
    most: usize,
    work: usize,
}

impl<'t, 'a> Walk<'t, 'a> {
    pub(super) fn new(from: &'t Tree<'t>, to: &'t Tree<'a>) -> Self {
        let texts = from.text(Index::ROOT).len() + to.text(Index::ROOT).len();
        let most = LEAST_LENGTH + 2 * texts;
        Self { from, to, path: String::new(), operations: Vec::new(), length: 0, most, work: WORK }
    }

    pub(super) fn patch(mut self) -> Vec<Operation<'a>> {
        if self.differ(Index::ROOT, Index::ROOT).is_err() {
            self.rewind((0, 0));
            self.path.clear();
            // One operation is never too many.
            let _ = self.replace(Index::ROOT);
        }
        self.operations
    }

    fn differ(&mut self, from: Index, to: Index) -> Result<(), Overflow> {
        if self.same(from, to) {
            return Ok(());
        }
        match (self.from.kind(from), self.to.kind(to)) {
            (Kind::Object, Kind::Object) => match (self.from.members(from), self.to.members(to)) {
                (Some(from), Some(to)) => self.objects(&from, &to),
                _ => self.replace(to),
            },
            (Kind::Array, Kind::Array) => self.arrays(from, to),
            _ => self.replace(to),
        }
    }

    fn objects(&mut self, from: &Members<'_>, to: &Members<'_>) -> Result<(), Overflow> {
        let (mut gone, mut new) = (from.iter().peekable(), to.iter().peekable());
        loop {
            let order = match (gone.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((one, _)), Some((other, _))) => one.cmp(other),
            };
            let one = gone.next_if(|_| order.is_le());
            let other = new.next_if(|_| order.is_ge());
            let Some((key, _)) = one.or(other) else { return Ok(()) };
            let outside = self.enter(key);
            match (one, other) {
                (Some((_, one)), Some((_, other))) => self.member(*one, *other, outside)?,
                (None, Some((_, other))) => self.add(*other)?,
                _ => self.remove()?,
            }
            self.path.truncate(outside);
        }
    }

    /// A key that both have. If those of the document take too many operations, they are replaced.
    fn member(&mut self, from: Index, to: Index, outside: usize) -> Result<(), Overflow> {
        let (mark, inside) = (self.mark(), self.path.len());
        match self.differ(from, to) {
            Err(Overflow) if outside == 0 => {
                self.rewind(mark);
                self.path.truncate(inside);
                self.replace(to)
            }
            result => result,
        }
    }

    fn arrays(&mut self, from: Index, to: Index) -> Result<(), Overflow> {
        let (one, other): (Vec<_>, Vec<_>) =
            (self.from.children(from).collect(), self.to.children(to).collect());
        let hashes = |tree: &Tree<'_>, children: &[Index]| -> Vec<u64> {
            children.iter().map(|child| tree.hash(*child)).collect()
        };
        let edits = align(&hashes(self.from, &one), &hashes(self.to, &other), &mut self.work);
        let mark = self.mark();
        let whole = replacing(&self.path, self.to.text(to));
        let mut index = 0;
        for edit in edits {
            let outside = self.enter(&index.to_string());
            match edit {
                Edit::Pair(from, to) => self.differ(one[from], other[to])?,
                Edit::Remove => self.remove()?,
                Edit::Add(to) => self.add(other[to])?,
            }
            self.path.truncate(outside);
            index += usize::from(edit != Edit::Remove);
            if self.length - mark.1 > whole && self.operations.len() > mark.0 + 1 {
                self.rewind(mark);
                return self.replace(to);
            }
        }
        Ok(())
    }

    /// Whether two values are equal. Different hashes are the quick answer, equal ones prove nothing.
    fn same(&self, from: Index, to: Index) -> bool {
        let kind = self.from.kind(from);
        if self.from.hash(from) != self.to.hash(to) || kind != self.to.kind(to) {
            return false;
        }
        let (one, other) = (self.from.text(from), self.to.text(to));
        match kind {
            _ if one == other => true,
            Kind::Token => false,
            Kind::Text => text::content(one) == text::content(other),
            Kind::Array => {
                let (mut gone, mut new) = (self.from.children(from), self.to.children(to));
                loop {
                    match (gone.next(), new.next()) {
                        (None, None) => return true,
                        (Some(one), Some(other)) if self.same(one, other) => {}
                        _ => return false,
                    }
                }
            }
            // Each value is looked at once, so that nesting does not double the work.
            Kind::Object if self.same_keys(from, to) => {
                let (gone, new) = (self.from.pairs(from), self.to.pairs(to));
                gone.zip(new).all(|(one, other)| self.same(one.1, other.1))
            }
            Kind::Object => self.same_by_key(from, to),
        }
    }

    /// Whether two objects have the same keys in the same order.
    fn same_keys(&self, from: Index, to: Index) -> bool {
        let (mut gone, mut new) = (self.from.pairs(from), self.to.pairs(to));
        loop {
            match (gone.next(), new.next()) {
                (None, None) => return true,
                (Some((one, _)), Some((other, _)))
                    if text::content(self.from.text(one)) == text::content(self.to.text(other)) => {}
                _ => return false,
            }
        }
    }

    fn same_by_key(&self, from: Index, to: Index) -> bool {
        let (Some(from), Some(to)) = (self.from.members(from), self.to.members(to)) else { return false };
        from.len() == to.len()
            && from.iter().zip(&to).all(|(one, other)| one.0 == other.0 && self.same(one.1, other.1))
    }

    /// Goes to a member; what to truncate the path to in order to come back.
    fn enter(&mut self, key: &str) -> usize {
        let outside = self.path.len();
        self.path.push('/');
        for character in key.chars() {
            match character {
                '~' => self.path.push_str("~0"),
                '/' => self.path.push_str("~1"),
                other => self.path.push(other),
            }
        }
        outside
    }

    fn add(&mut self, to: Index) -> Result<(), Overflow> {
        let value = self.to.text(to);
        let path = self.step(r#"{"op":"add","path":"","value":},"#.len() + value.len())?;
        self.operations.push(Operation::Add { path, value: Fragment(value) });
        Ok(())
    }

    fn remove(&mut self) -> Result<(), Overflow> {
        let path = self.step(r#"{"op":"remove","path":""},"#.len())?;
        self.operations.push(Operation::Remove { path });
        Ok(())
    }

    fn replace(&mut self, to: Index) -> Result<(), Overflow> {
        let value = self.to.text(to);
        let path = self.step(replacing("", value))?;
        self.operations.push(Operation::Replace { path, value: Fragment(value) });
        Ok(())
    }

    /// The path of one more operation, if there is room for it; `length` is that of the rest of it.
    fn step(&mut self, length: usize) -> Result<String, Overflow> {
        let after = self.length + length + self.path.len();
        if self.operations.len() >= MAX_OPERATIONS || after > self.most {
            return Err(Overflow);
        }
        self.length = after;
        Ok(self.path.clone())
    }

    fn mark(&self) -> (usize, usize) {
        (self.operations.len(), self.length)
    }

    fn rewind(&mut self, (operations, length): (usize, usize)) {
        self.operations.truncate(operations);
        self.length = length;
    }
}

/// How long the operation is that replaces a value, as text.
fn replacing(path: &str, value: &str) -> usize {
    r#"{"op":"replace","path":"","value":},"#.len() + path.len() + value.len()
}
