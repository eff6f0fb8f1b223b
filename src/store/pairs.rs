//! Many small rows read as one.

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
}
