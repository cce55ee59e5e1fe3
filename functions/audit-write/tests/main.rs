//! The append and what follows it, on strict fakes. One binary: what they stand on is built and linked once.

mod append;
mod fault_matrix;
mod publication;
mod rebuilt_tiles;
mod rotation;
mod simulation;
mod turning_back;
mod world;
