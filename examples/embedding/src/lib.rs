//! Short programs that embed sockless; each file is for copying.
pub mod h2_connect;
pub mod hyper_upgrade;
pub mod proxy;
pub mod push_threads;
pub mod wss_client;
