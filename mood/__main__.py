from mood.cli import main

main()
