//! stub
#![allow(missing_docs, clippy::all)]
pub struct ScanLimits {
    pub depth: usize,
    pub envelope: usize,
    pub documents: usize,
    pub key: usize,
}
#[derive(Debug)]
pub struct Scanner {}
#[derive(Debug)]
pub struct Scanned {
    pub envelope: Vec<u8>,
    pub documents: Option<Vec<Document>>,
    pub length: u64,
}
#[derive(Debug)]
pub struct Document {
    pub key: String,
    pub offset: u64,
    pub length: u64,
}
#[derive(Clone, Debug, thiserror::Error)]
pub enum ScanError {
    #[error("x")]
    BadJson { offset: u64, message: &'static str },
}
impl ScanError {
    pub fn field(&self) -> Option<String> {
        None
    }
}
impl Scanner {
    pub fn new(_: &'static str, _: ScanLimits) -> Self {
        Self {}
    }
    pub fn feed(&mut self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<(), ScanError> {
        Err(ScanError::BadJson { offset: 0, message: "" })
    }
    pub fn finish(self) -> Result<Scanned, ScanError> {
        Err(ScanError::BadJson { offset: 0, message: "" })
    }
}
