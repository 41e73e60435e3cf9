//! headertap on real networks: nginx, curl and wrk in network namespaces, watched live.

mod network {
    mod life;
    mod load;
    mod lookups;
    mod loss;
    mod messages;
    mod neighbours;
    mod tls;
    mod traces;
}
