//! headertap on real networks: nginx, curl, wrk, nghttp2 and gRPC in network
//! namespaces, watched live.

mod network {
    mod grpc;
    mod http2;
    mod life;
    mod load;
    mod lookups;
    mod loss;
    mod messages;
    mod neighbours;
    mod tls;
    mod traces;
}
