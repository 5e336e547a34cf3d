//! placeholder
pub struct Soak;
