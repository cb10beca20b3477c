//! The room as a whole: what is written reads back, what others wrote is read, what is damaged ends in words.

mod damage;
mod foreign;
mod round_trip;
mod sample;
