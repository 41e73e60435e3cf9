//! TLS: an authority that is configured is trusted, any other is not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::peer::Peer;
use super::{BOTH, Bench, Endpoint, Protocol, endpoint, settings};
use crate::deliver::Delivery;
use crate::stats::{Account, Cause, Outcome, Unit};

/// A PEM file of this test's own, removed at the end.
struct Pem(PathBuf);

impl Pem {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("headertap-{}-{name}.pem", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for Pem {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// A peer with a certificate of its own for `localhost`, and the certificate.
async fn peer(name: &str) -> (Peer, Pem) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider's versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("the key is the certificate's");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Peer::over_tls(config).await, Pem::new(name, &cert.pem()))
}

fn over_tls(peer: &Peer, protocol: Protocol) -> Endpoint {
    let url = format!("https://localhost:{}/v1/logs", peer.address.port());
    Endpoint { url: url.parse().expect("a URL"), ..endpoint(peer.address, protocol) }
}

#[tokio::test]
async fn a_configured_authority_is_trusted() {
    for protocol in BOTH {
        let (peer, pem) = peer(&format!("trusted-{protocol:?}")).await;
        let certificate = Some(pem.0.clone());
        let target = Endpoint { certificate, ..over_tls(&peer, protocol) };
        let bench = Bench::start(&settings(target));
        bench.push(1, 10);
        bench.settled().await;
        assert_eq!(bench.exported(), 1, "{protocol:?}");
    }
}

#[tokio::test]
async fn an_unknown_authority_gets_nothing() {
    for protocol in BOTH {
        let (peer, _pem) = peer(&format!("unknown-{protocol:?}")).await;
        let bench = Bench::start(&settings(over_tls(&peer, protocol)));
        bench.push(1, 10);
        bench.delivery.drain(Duration::from_millis(500)).await;
        let lost = bench.account.row(Unit::LogRecords).count(Outcome::Lost(Cause::Shutdown));
        assert_eq!((peer.seen().len(), lost), (0, 1), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_named() {
    let (peer, pem) = peer("gone").await;
    let certificate = Some(pem.0.clone());
    drop(pem);
    for protocol in BOTH {
        let target = Endpoint { certificate: certificate.clone(), ..over_tls(&peer, protocol) };
        let runtime = tokio::runtime::Handle::current();
        let started = Delivery::start(&settings(target), &Arc::<Account>::default(), &runtime);
        let error = started.expect_err("the file is gone").to_string();
        assert!(error.starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE: "), "{error}");
    }
}
