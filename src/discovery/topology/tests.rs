//! The join, case by case, on facts made by hand.
