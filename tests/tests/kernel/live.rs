//! The whole program on this kernel, whichever way of attaching it has: an exchange over the
//! loopback comes out.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use anyhow::Result;
use e2e::{agent, traffic, wait_for};

const REQUEST: &str = "GET /live HTTP/1.1\r\nHost: live.example\r\nX-Request-Id: 17\r\n\r\n";

#[test]
fn an_exchange_over_the_loopback_comes_out_of_the_program() -> Result<()> {
    let agent = agent::Start::new(None).interfaces(["lo"]).json().ready();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let head = traffic::answer(&mut stream);
        assert!(head.starts_with("GET /live"), "{head}");
        Ok(stream.write_all(super::ANSWER)?)
    });
    let mut client = std::net::TcpStream::connect(address)?;
    let answer = traffic::ask(&mut client, REQUEST);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.join().expect("the server's own panic")?;
    let port = address.port();
    wait_for("the exchange", || {
        let records = agent.records();
        let exchanges = records.exchanges(port);
        exchanges.iter().any(|e| e.request_header("x-request-id") == Some("17")).then_some(())
    });
    agent.stop().account().assert_closed();
    Ok(())
}
