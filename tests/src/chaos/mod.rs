//! Whatever breaks: a region of many processes under load, faults at random, and what must hold afterwards.
//!
//! [`run::run`] is the whole: it starts three NATS servers, two edges, two aggregators and two query nodes behind `HAProxy`
//! ([`region`]), each on a machine of its own as far as the system allows ([`network`], [`machine`]), holds a load of events and
//! queries ([`load`]), breaks what [`plan`] drew ([`inject`]), watches ([`watch`]), and compares with what was sent ([`check`]).

pub mod bucket;
pub mod check;
pub mod clock;
pub mod command;
pub mod disk;
pub mod elections;
pub mod front;
pub mod inject;
pub mod load;
pub mod machine;
pub mod network;
pub mod plan;
pub mod region;
pub mod report;
pub mod run;
pub mod sent;
pub mod watch;
pub mod wire;
