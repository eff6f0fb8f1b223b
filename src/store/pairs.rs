//! Many small rows read as one.

use std::iter::Peekable;

/// Names with the JSON document that belongs to each, in the order of names.
///
/// They come as one text, a line for each: a row costs the driver more than a hundred thousand breakers may take to load.
/// Neither names nor compact JSON hold tabs or line ends.
#[derive(Clone, Debug, Default)]
pub struct Pairs(pub(super) Option<String>);

impl Pairs {
    /// The names and documents.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once('\t'))
    }

    /// Finds documents for names that are asked for in their order.
    #[must_use]
    pub fn in_order(&self) -> InOrder<impl Iterator<Item = (&str, &str)>> {
        InOrder(self.iter().peekable())
    }
}

/// See [`Pairs::in_order`].
pub struct InOrder<I: Iterator>(Peekable<I>);

impl<'a, I: Iterator<Item = (&'a str, &'a str)>> InOrder<I> {
    /// The document of `name`, which must come after the names asked for before.
    pub fn find(&mut self, name: &str) -> Option<&'a str> {
        while self.0.next_if(|(earlier, _)| *earlier < name).is_some() {}
        self.0.next_if(|(same, _)| *same == name).map(|(_, document)| document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_in_order_with_gaps_on_either_side() {
        let pairs = Pairs(Some("a\t1\nb\t2\nd\t4".to_owned()));
        let mut documents = pairs.in_order();
        let found: Vec<_> = ["a", "c", "d", "e"].map(|name| documents.find(name)).into();
        assert_eq!(found, [Some("1"), None, Some("4"), None]);
        assert_eq!(Pairs::default().iter().count(), 0);
    }
}
