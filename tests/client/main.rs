//! The Cloudflare client against the simulator: every endpoint, every knob, every fault, and no token anywhere.

mod cases;
mod dns;
mod endpoints;
mod faults;
mod knobs;
mod network;
mod secrecy;
mod setting;
mod shapes;
mod sharing;
