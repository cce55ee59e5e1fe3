//! Scheduled verification on strict fakes, and what its schedules say.

mod apart;
mod schedules;
mod verifying;
mod world;
