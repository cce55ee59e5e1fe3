//! Transform against strict fakes: redeliveries, duplicates, faults, and what lies in the stores afterwards.

mod calls;
mod faults;
mod notifications;
mod subjects;
mod world;
