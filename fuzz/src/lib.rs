//! The checks of the fuzz targets. Each target calls one of these functions; `README.md` says what
//! each promises. The oracle, the driver and the joined machines are shared with the properties, in
//! `tests/model`.

#[path = "../../tests/model/mod.rs"]
pub mod model;

pub mod deflate;
pub mod differential;
pub mod head_differential;
pub mod head_generator;
pub mod header;
pub mod heads;
pub mod lists;
pub mod lives;
pub mod random;
