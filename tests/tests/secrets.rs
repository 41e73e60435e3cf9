//! Nothing secret leaves the host: real exchanges full of secrets, and every byte that headertap
//! puts out about them.

mod secrets {
    mod exchange;
    mod outputs;
    mod sink;
}
