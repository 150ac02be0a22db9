from mood.cli.app import main

main()
