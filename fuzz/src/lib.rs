//! What the fuzz targets check. Each target is a line or two around one of these functions; `README.md` says what each
//! promises. The oracle, the driver and the joined pair are those of the crate's own properties in `tests/model`.

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
