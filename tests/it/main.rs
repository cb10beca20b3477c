//! Tests that need no privileges: the program from outside, and the order of its rooms.

mod cli;
mod golden;
mod layering;
